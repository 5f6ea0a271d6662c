"""Receipts in English and German of shops that do not exist, each in a layout of its own."""

from __future__ import annotations

from benchmarks.real_documents.drawing.sheet import Sheet, format_amount

ROLL = 226.0
"""Source: the width of till rolls, 80 mm."""


def draw_grocer(sheet: Sheet) -> None:
    """Draw a British grocer's receipt: item left, price right, quantities on a line of their own."""
    items = (
        ("OAT MILK 1L", 2, 165),
        ("RYE LOAF SLICED", 1, 240),
        ("BRAEBURN APPLES", 0, 187),
        ("CHEDDAR MATURE 350G", 1, 425),
        ("DISHWASHER TABS 40", 1, 899),
        ("BAG FOR LIFE", 3, 30),
    )
    y = sheet.text(ROLL / 2, 30, "LARKFIELD GROCERS", 13, bold=True, align="center")
    y = sheet.text(
        ROLL / 2, y, "14 Tanner Row, Wexcombe WX4 7RD\nTel 01632 960417\nVAT no. GB 318 5527 09", 7.5, align="center"
    )
    y = sheet.text(12, y + 8, "Till 03   Served by: Self checkout", 8)
    y = sheet.text(12, y, "18/03/2025 17:42   Receipt 0046291", 8) + 6
    total = 0
    for name, count, price in items:
        amount = price * max(1, count)
        total += amount
        y = sheet.row(y, [(12, name, "left"), (ROLL - 12, format_amount(amount, "us"), "right")], 8.5)
        if count > 1:
            y = sheet.text(24, y, f"{count} x {format_amount(price, 'us')}", 8, grey=0.25)
        elif count == 0:
            y = sheet.text(24, y, "0.850 kg @ £2.20/kg", 8, grey=0.25)
    y = sheet.row(y, [(12, "LOYALTY OFFER APPLES", "left"), (ROLL - 12, "-0.37", "right")], 8.5)
    total -= 37
    sheet.line(12, y - 6, ROLL - 12, y - 6, dashed=True)
    y = sheet.row(y + 8, [(12, "TOTAL", "left"), (ROLL - 12, f"£{format_amount(total, 'us')}", "right")], 12, bold=True)
    y = sheet.row(y, [(12, "Visa contactless ****4471", "left"), (ROLL - 12, format_amount(total, "us"), "right")], 8.5)
    y = sheet.text(12, y, "Auth code 771903", 8) + 6
    y = sheet.text(12, y, "VAT 20% incl. on £9.89: £1.65\nVAT 0% on £11.45", 8) + 8
    y = sheet.text(ROLL / 2, y, "You earned 19 Lark points\nPoints balance: 1,204", 8.5, bold=True, align="center")
    sheet.text(ROLL / 2, y + 6, "Refunds within 28 days with receipt", 7.5, align="center")


def draw_bakery(sheet: Sheet) -> None:
    """Draw a German bakery's receipt: tax classes beside the prices, and a table of taxes below."""
    y = sheet.text(ROLL / 2, 32, "Bäckerei Kornblum", 15, bold=True, align="center", family="serif")
    y = sheet.text(ROLL / 2, y, "Mühlgasse 9 · 96332 Altenried\nSt.-Nr. 212/5560/1178", 8, align="center")
    sheet.line(14, y, ROLL - 14, y)
    y = sheet.row(y + 14, [(14, "Bon-Nr. 8827", "left"), (ROLL - 14, "05.07.2025  07:18", "right")], 8)
    y = sheet.text(14, y, "Es bediente Sie: Kasse 2 (Vormittag)", 8) + 6
    lines = (
        ("4 Mohnbrötchen à 0,55", 220, "B"),
        ("1 Dinkelkruste 750 g", 510, "B"),
        ("2 Nussschnecken à 2,30", 460, "B"),
        ("1 Milchkaffee groß", 390, "A"),
        ("1 Pfandbecher", 200, "A"),
    )
    sheet.text(ROLL - 40, y, "EUR", 8, bold=True, align="right")
    y = sheet.text(14, y, "Artikel", 8, bold=True)
    for name, cents, tax in lines:
        y = sheet.row(
            y, [(14, name, "left"), (ROLL - 40, format_amount(cents, "de"), "right"), (ROLL - 18, tax, "center")], 8.5
        )
    y = sheet.row(y + 8, [(14, "Zu zahlen", "left"), (ROLL - 14, "17,80 EUR", "right")], 13, bold=True)
    y = sheet.row(y, [(14, "Bar gegeben", "left"), (ROLL - 14, "20,00", "right")], 8.5)
    y = sheet.row(y, [(14, "Rückgeld", "left"), (ROLL - 14, "2,20", "right")], 8.5) + 4
    rows = (
        ("MwSt.", "Netto", "Steuer", "Brutto"),
        ("A 19%", "4,96", "0,94", "5,90"),
        ("B 7%", "11,12", "0,78", "11,90"),
    )
    y = sheet.table(14, y, (48, 50, 50, 50), rows, "lrrr", 8)
    y = sheet.text(14, y + 16, "TSE-Transaktion: 410226\nSeriennummer Kasse: KB-07-1193", 7)
    sheet.text(ROLL / 2, y + 8, "Ab 17 Uhr: 30 % auf Backwaren vom Tag", 8, bold=True, align="center")


def draw_parking(sheet: Sheet) -> None:
    """Draw an American car park's receipt: labels above their values, in boxes."""
    sheet.box(10, 12, 290, 60, 0.2, 0)
    sheet.text(150, 42, "PIER 9 PARKING GARAGE", 15, bold=True, align="center", grey=1.0)
    cells = (
        ("TICKET NO.", "5520-8861"),
        ("LICENSE PLATE", "7KXR204"),
        ("ENTRY", "Jun 14, 2025 08:56 AM"),
        ("EXIT", "Jun 14, 2025 02:21 PM"),
        ("LENGTH OF STAY", "5 h 25 min"),
        ("SPACE", "Level P2, Row D"),
        ("RATE", "$6.50 first hour, then $4.00 / hr"),
        ("DAILY MAXIMUM", "$28.00"),
    )
    for number, (label, value) in enumerate(cells):
        x, y = 10 + 140 * (number % 2), 68 + 46 * (number // 2)
        sheet.box(x, y, x + 140, y + 46)
        sheet.text(x + 6, y + 14, label, 7, grey=0.35)
        sheet.text(x + 6, y + 33, value, 8.2, bold=True)
    sheet.box(10, 262, 290, 330, 0.93)
    sheet.text(18, 280, "AMOUNT PAID", 8, grey=0.3)
    sheet.text(18, 312, "$26.50", 26, bold=True)
    sheet.text(282, 296, "Mastercard ending 0932\nApproval 04417B", 8.5, align="right")
    sheet.text(
        150,
        352,
        "Validation: Harbor Deli, 1 hour ($0.00 applied)\nLost ticket pays the daily maximum plus $10.00",
        8,
        align="center",
    )


def draw_restaurant(sheet: Sheet) -> None:
    """Draw an American restaurant's bill: quantities first, suggested tips in a small table at its end."""
    y = sheet.text(ROLL / 2, 30, "The Copper Heron", 16, bold=True, align="center", family="serif")
    y = sheet.text(ROLL / 2, y, "2207 Alder Street, Port Ansel, OR", 8, align="center")
    y = sheet.row(y + 8, [(12, "Check #30718", "left"), (ROLL - 12, "Table 12", "right")], 9)
    y = sheet.row(y, [(12, "Guests: 3", "left"), (ROLL - 12, "Server: Station C", "right")], 9)
    y = sheet.text(12, y, "Nov 02, 2024   7:49 PM", 9) + 4
    for count, name, cents in (
        (1, "Smoked Trout Toast", 1450),
        (2, "Wild Mushroom Risotto", 4600),
        (1, "Grilled Half Chicken", 2750),
        (3, "Ginger Lemonade", 1650),
        (1, "Pear Galette", 1100),
    ):
        cells = [(20, str(count), "right"), (30, name, "left"), (ROLL - 12, format_amount(cents, "us"), "right")]
        y = sheet.row(y, cells, 9)
    sheet.line(120, y - 6, ROLL - 12, y - 6)
    for label, value in (("Subtotal", "115.50"), ("City tax 8.25%", "9.53"), ("Kitchen fee 3%", "3.47")):
        y = sheet.row(y + 2, [(ROLL - 70, label, "right"), (ROLL - 12, value, "right")], 9)
    y = sheet.row(y + 4, [(ROLL - 80, "Amount Due", "right"), (ROLL - 12, "$128.50", "right")], 12, bold=True)
    sheet.text(ROLL / 2, y + 4, "Suggested tip on the subtotal", 8, align="center")
    rows = (("18%", "20%", "22%"), ("20.79", "23.10", "25.41"))
    y = sheet.table(24, y + 10, (60, 60, 60), rows, "ccc", 9, grid=True, header_fill=None)
    sheet.text(ROLL / 2, y + 18, "Wi-Fi: heron-guest   Password: saltmarsh42", 7.5, align="center")


def draw_petrol_station(sheet: Sheet) -> None:
    """Draw a German petrol station's receipt: labels left of their values, dotted in between."""
    y = sheet.text(16, 34, "TANKHOF WESTERAU", 14, bold=True)
    y = sheet.text(16, y, "Bundesstr. 44, 27419 Westerau\nUSt-IdNr. DE299 018 446", 8) + 10
    rows = (
        ("Beleg", "T-119-40387"),
        ("Datum", "22.01.2025 19:03:51"),
        ("Zapfsäule", "6"),
        ("Kraftstoff", "Super E10"),
        ("Menge", "41,37 Liter"),
        ("Preis je Liter", "1,729 EUR"),
        ("Betrag Kraftstoff", "71,53 EUR"),
        ("Scheibenreiniger 2 l", "6,99 EUR"),
        ("Kundenkarte Rabatt", "-0,83 EUR"),
    )
    for label, value in rows:
        sheet.line(16, y + 2, sheet.width - 16, y + 2, 0.4, dashed=True)
        sheet.text(16, y, label, 9)
        y = sheet.text(sheet.width - 16, y, value, 9, align="right") + 4
    sheet.box(16, y - 4, sheet.width - 16, y + 30, None, 1.4)
    sheet.text(24, y + 18, "SUMME", 14, bold=True)
    sheet.text(sheet.width - 24, y + 18, "77,69 EUR", 14, bold=True, align="right")
    y = sheet.text(16, y + 46, "enthaltene MwSt. 19 %: 12,40 EUR", 9)
    y = sheet.text(16, y, "Girocard ****8150   Genehmigungs-Nr. 530274", 8.5)
    y = sheet.text(16, y + 6, "Kundenkarte 6640 1182: 41 Punkte gutgeschrieben", 8.5)
    sheet.text(16, y + 6, "Waschanlage: Programm 3 diese Woche 9,90 EUR", 8.5)


def draw_exchange(sheet: Sheet) -> None:
    """Draw a bureau de change's receipt: two currencies side by side, the rate between them."""
    sheet.text(210, 36, "ALPENPASS EXCHANGE", 15, bold=True, align="center")
    sheet.text(210, 52, "Central Station, Hall B, Desk 4 · Zurlingen, Switzerland", 8.5, align="center")
    sheet.line(20, 62, 400, 62, 1.2)
    sheet.text(20, 80, "Transaction CX-2025-006612", 9)
    sheet.text(400, 80, "9 May 2025, 11:26", 9, align="right")
    for left, title, amount, note in (
        (20, "WE BOUGHT", "EUR 450.00", "cash"),
        (230, "YOU RECEIVED", "CHF 409.95", "cash"),
    ):
        sheet.box(left, 94, left + 170, 160)
        sheet.text(left + 85, 112, title, 8, align="center", grey=0.3)
        sheet.text(left + 85, 136, amount, 17, bold=True, align="center")
        sheet.text(left + 85, 152, note, 8, align="center")
    sheet.text(210, 130, ">>", 14, bold=True, align="center")
    rows = (
        ("Position", "Value"),
        ("Buying rate", "1 EUR = 0.9210 CHF"),
        ("Gross amount", "CHF 414.45"),
        ("Commission", "CHF 4.50"),
        ("Minimum commission", "CHF 4.00"),
        ("Mid-market rate of the day", "0.9385"),
        ("Identity document shown", "no (below CHF 5'000)"),
    )
    y = sheet.table(20, 176, (200, 180), rows, "lr", 9, grid=True)
    sheet.text(20, y + 18, "Notes are bought back at the same rate within 7 days with this receipt.", 8.5)
