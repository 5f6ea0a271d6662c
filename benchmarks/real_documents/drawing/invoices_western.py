"""Invoices in English and German of firms that do not exist, each in a layout of its own."""

from __future__ import annotations

from benchmarks.real_documents.drawing.sheet import Sheet


def draw_workshop(sheet: Sheet) -> None:
    """Draw a British workshop's invoice: a ruled table, the facts in a box at the upper right."""
    sheet.text(50, 70, "Quillfeather Bindery Ltd", 20, bold=True, family="serif")
    sheet.text(50, 88, "Unit 6, Old Rope Works, Saltmouth SM2 9LD\naccounts@quillfeather.example", 9)
    sheet.box(360, 48, 545, 140)
    sheet.text(370, 66, "INVOICE", 14, bold=True)
    facts = (("Number", "QB-2291"), ("Date", "11 February 2025"), ("Due", "13 March 2025"), ("Your order", "PO 88-403"))
    y = 84.0
    for label, value in facts:
        sheet.text(370, y, label, 9, grey=0.3)
        y = sheet.text(540, y, value, 9, align="right")
    sheet.text(50, 150, "Bill to", 8, grey=0.4)
    sheet.text(50, 164, "Brackenhall College Library\nChapel Lane, Brackenhall BH1 3QT", 10)
    rows = (
        ("Description", "Qty", "Unit price £", "Amount £"),
        ("Rebinding of theses, buckram, blue", "24", "31.50", "756.00"),
        ("Gold blocking on spine, per line", "48", "2.75", "132.00"),
        ("Repair of atlas, 1862, new hinges", "1", "240.00", "240.00"),
        ("Archival boxes, A3", "10", "14.80", "148.00"),
        ("Collection and delivery", "2", "35.00", "70.00"),
    )
    y = sheet.table(50, 210, (255, 50, 95, 95), rows, "lrrr", 10, grid=True)
    y += 12
    for label, value in (("Net", "1,346.00"), ("Educational discount 5%", "-67.30"), ("VAT 20%", "255.74")):
        y = sheet.row(y + 8, [(440, label, "right"), (541, value, "right")], 10)
    sheet.box(350, y, 545, y + 30, 0.88)
    sheet.row(y + 20, [(440, "Total due", "right"), (541, "£1,534.44", "right")], 12, bold=True)
    y = sheet.text(50, y + 70, "Payment", 11, bold=True)
    y = sheet.text(50, y, "Harrow Vale Bank, sort code 40-88-17, account 61190452\nPlease quote QB-2291.", 10)
    sheet.text(50, y + 14, "Late payment is charged at 8% a year above base rate. Work is guaranteed for ten years.", 9)


_STUDIO_ITEMS = (
    ("Site survey", "Two visits, photo log, visitor counts", "14 h", "$1,652.00"),
    ("Sign system", "Icon set, type, color for 3 floors", "52 h", "$6,136.00"),
    ("Accessibility review", "Braille and contrast check by panel", "9 h", "$1,062.00"),
    ("Prototype printing", "22 foam boards, at cost", "", "$613.40"),
)


def draw_studio(sheet: Sheet) -> None:
    """Draw an American studio's invoice: labels above values in a row, items without rules, totals lower left."""
    sheet.box(0, 0, 595, 110, 0.15, 0)
    sheet.text(40, 66, "tidepool / studio", 26, bold=True, grey=1.0)
    sheet.text(555, 60, "1180 Lantern Ave, Suite 4\nGreyport, WA", 9, align="right", grey=0.9)
    facts = (
        ("INVOICE NO.", "TP-0457"),
        ("ISSUED", "Aug 29, 2025"),
        ("PAYMENT TERMS", "Net 21"),
        ("PROJECT", "Museum wayfinding"),
        ("HOURLY RATE", "$118.00"),
    )
    for number, (label, value) in enumerate(facts):
        sheet.text(40 + number * 106, 140, label, 7, grey=0.45)
        sheet.text(40 + number * 106, 155, value, 10, bold=True)
    sheet.text(40, 190, "For: Natural History Museum of Ellison County", 11)
    y = 230.0
    for title, detail, hours, amount in _STUDIO_ITEMS:
        sheet.text(40, y, title, 11, bold=True)
        sheet.text(440, y, hours, 10, align="right")
        sheet.text(555, y, amount, 11, align="right")
        y = sheet.text(40, y + 14, detail, 9, grey=0.4) + 12
    sheet.line(40, 420, 300, 420, 1.2)
    y = 440.0
    for label, value in (("Services", "$8,850.00"), ("Expenses", "$613.40"), ("Deposit received Jul 03", "-$2,500.00")):
        sheet.text(40, y, label, 10)
        y = sheet.text(300, y, value, 10, align="right") + 3
    sheet.text(40, y + 14, "Balance", 14, bold=True)
    sheet.text(300, y + 14, "$6,963.40", 14, bold=True, align="right")
    sheet.text(
        340,
        440,
        "Sales tax: not applied (exempt,\ncertificate EX-20931)."
        "\n\nRevisions included: 2 rounds.\nFurther rounds $450 each.",
        10,
    )
    sheet.text(40, 780, "Wire to Cormorant Credit Union · routing 125108777 · account 0093 5521 8", 9)


_ROOF_POSITIONS = (
    ("Pos.", "Leistung", "Menge", "Einh.", "EP €", "GP €"),
    ("1", "Gerüst stellen und abbauen", "1", "psch", "980,00", "980,00"),
    ("2", "Tondachziegel rot, eindecken", "86", "m²", "64,50", "5.547,00"),
    ("3", "Dachlatten 40/60 mm", "340", "lfm", "2,90", "986,00"),
    ("4", "Regenrinne Zink, Zuschnitt 333", "18", "lfm", "47,20", "849,60"),
    ("5", "Facharbeiterstunde", "26,5", "Std.", "61,80", "1.637,70"),
    ("6", "Entsorgung Altziegel", "3,4", "t", "145,00", "493,00"),
)


def draw_roofer(sheet: Sheet) -> None:
    """Draw a German craftsman's invoice: the window for the address, positions with units, a discount for speed."""
    sheet.text(297, 50, "DACHDECKEREI HOLLERBUSCH", 18, bold=True, align="center")
    sheet.text(
        297, 66, "Meisterbetrieb seit 1974 · Ziegelweg 3 · 57399 Kreuzhain · Tel. 02723 555019", 9, align="center"
    )
    sheet.line(50, 74, 545, 74, 1.2)
    sheet.text(57, 126, "Dachdeckerei Hollerbusch · Ziegelweg 3 · 57399 Kreuzhain", 6.5, grey=0.3)
    sheet.text(57, 142, "Wohnungsgenossenschaft Lindenhof eG\nAm Anger 12\n57399 Kreuzhain", 10.5)
    facts = (
        ("Rechnungs-Nr.:", "2025/0318"),
        ("Kunden-Nr.:", "10457"),
        ("Leistungszeitraum:", "03.–07.03.2025"),
        ("Rechnungsdatum:", "14.03.2025"),
    )
    y = 142.0
    for label, value in facts:
        sheet.text(350, y, label, 9)
        y = sheet.text(450, y, value, 9)
    sheet.text(50, 250, "Rechnung – Instandsetzung Dach, Objekt Am Anger 12", 13, bold=True)
    y = sheet.table(50, 268, (34, 220, 52, 44, 66, 79), _ROOF_POSITIONS, "clrlrr", 9.5)
    y += 12
    for label, value in (("Nettosumme", "10.493,30"), ("zzgl. 19 % USt.", "1.993,73")):
        y = sheet.row(y + 8, [(460, label, "right"), (541, value, "right")], 10)
    y = sheet.row(y + 8, [(460, "Rechnungsbetrag", "right"), (541, "12.487,03 €", "right")], 12, bold=True)
    y = sheet.text(
        50, y + 14, "Zahlbar innerhalb von 30 Tagen ohne Abzug, bei Zahlung bis 24.03.2025 mit 2 % Skonto", 10
    )
    y = sheet.text(50, y, "(249,74 €). Der Lohnanteil nach § 35a EStG beträgt 1.637,70 € netto.", 10)
    y = sheet.text(50, y + 10, "Gewährleistung: 5 Jahre nach BGB. Steuer-Nr. 338/5127/0994", 10)
    sheet.line(50, 780, 545, 780)
    sheet.text(
        297, 794, "Volksbank Kreuzhain · IBAN DE00 4626 1822 0110 5573 00 · BIC GENODEX1KRH", 8.5, align="center"
    )


def draw_publisher(sheet: Sheet) -> None:
    """Draw a German publisher's invoice: a line of facts across, two rates of tax, a table of them."""
    sheet.text(50, 60, "Verlag Nordlicht & Söhne", 22, family="serif")
    sheet.text(545, 60, "RECHNUNG", 16, bold=True, align="right", grey=0.4)
    sheet.box(50, 80, 545, 116, 0.92, 0)
    facts = (
        ("Beleg", "RE-70415"),
        ("Datum", "02.12.2024"),
        ("Kunde", "K-3308"),
        ("Vertreter", "Gebiet Süd"),
        ("Lieferschein", "LS-70398"),
    )
    for number, (label, value) in enumerate(facts):
        sheet.text(58 + number * 98, 94, label, 7.5, grey=0.35)
        sheet.text(58 + number * 98, 108, value, 10, bold=True)
    sheet.text(50, 146, "Buchhandlung Seitenwind, Marktplatz 5, 88499 Riedheim", 11)
    rows = (
        ("ISBN / Art.", "Titel", "Expl.", "Ladenpr.", "Rabatt", "Betrag", "USt"),
        ("978-3-0000-411-2", "Wattwandern mit Kindern", "15", "18,00", "40 %", "162,00", "7"),
        ("978-3-0000-427-3", "Die Kunst der Seekarte", "6", "49,00", "35 %", "191,10", "7"),
        ("978-3-0000-398-6", "Leuchttürme zum Ausmalen", "20", "9,90", "45 %", "108,90", "7"),
        ("ART-5520", "Postkartenset Gezeiten", "30", "6,50", "50 %", "97,50", "19"),
        ("ART-5533", "Stoffbeutel Anker", "12", "8,00", "40 %", "57,60", "19"),
    )
    y = sheet.table(50, 166, (110, 152, 40, 56, 50, 57, 30), rows, "llrrrrr", 9)
    sheet.text(50, y + 30, "Steueraufstellung (EUR)", 10, bold=True)
    taxes = (
        ("Satz", "Netto", "Steuer", "Brutto"),
        ("7 %", "462,00", "32,34", "494,34"),
        ("19 %", "155,10", "29,47", "184,57"),
    )
    end = sheet.table(50, y + 38, (50, 70, 70, 70), taxes, "lrrr", 9, grid=True)
    sheet.text(545, y + 34, "Versandkosten: frei ab 500,00 EUR netto", 9, align="right")
    sheet.text(545, y + 66, "Endbetrag 678,91 EUR", 15, bold=True, align="right")
    y = sheet.text(50, end + 34, "Valuta 60 Tage. Remissionsrecht bis 31.05.2025, nur unbeschädigte Exemplare.", 10)
    y = sheet.text(50, y, "Bankeinzug am 31.01.2025 über Mandat NLS-3308-01.", 10)
    sheet.text(50, y, "Nachbezug: Wattwandern erscheint im März 2025 in 4. Auflage (20,00 EUR).", 10)


def draw_freight(sheet: Sheet) -> None:
    """Draw a forwarder's invoice in two currencies, one in each column, the rate below."""
    sheet.box(40, 40, 555, 84)
    sheet.text(52, 68, "GLETSCHERTOR LOGISTICS AG", 16, bold=True)
    sheet.text(545, 58, "Freight invoice\nGL-55-190724", 10, align="right")
    left = (
        ("Shipper", "Uhrwerk Amsel SA, Bielstadt"),
        ("Consignee", "Fairmont Clocks, Dublin"),
        ("Route", "Basel – Antwerp – Dublin"),
    )
    right = (
        ("Waybill", "7741 0028 615"),
        ("Gross weight", "1,284 kg"),
        ("Packages", "16 crates"),
        ("Incoterm", "DAP Dublin"),
    )
    for x, facts in ((40, left), (330, right)):
        y = 108.0
        for label, value in facts:
            sheet.text(x, y, f"{label}:", 9.5, bold=True)
            y = sheet.text(x + 76, y, value, 9.5)
    rows = (
        ("Charge", "CHF", "EUR"),
        ("Ocean and road freight", "2'140.00", "2'229.17"),
        ("Fuel surcharge 11.5 %", "246.10", "256.35"),
        ("Customs clearance", "185.00", "192.71"),
        ("Insurance, value 96'000 CHF", "288.00", "300.00"),
        ("Tail lift at delivery", "75.00", "78.13"),
    )
    y = sheet.table(40, 190, (315, 100, 100), rows, "lrr", 10, grid=True)
    sheet.box(355, y + 12, 555, y + 66, 0.9)
    sheet.row(y + 34, [(365, "Total CHF", "left"), (545, "2'934.10", "right")], 12, bold=True)
    sheet.row(y + 54, [(365, "Total EUR", "left"), (545, "3'056.36", "right")], 12, bold=True)
    sheet.text(40, y + 30, "Exchange rate of 19 July 2024:\n1 EUR = 0.9600 CHF", 10)
    y = sheet.text(40, y + 100, "Payable in either currency within 14 days of 24 July 2024.", 10)
    y = sheet.text(40, y, "Claims for damage must reach us in writing within 7 days of delivery.", 10)
    sheet.text(40, y, "Storage after the third free day: CHF 38.00 a day for each crate.", 10)


def draw_electricity(sheet: Sheet) -> None:
    """Draw a British electricity bill: what to pay large at the right, readings of the meter in a table."""
    sheet.text(40, 60, "Brightmoor Energy", 20, bold=True)
    sheet.text(40, 84, "Electricity bill for 1 October – 31 December 2024", 11)
    sheet.box(370, 40, 555, 140, 0.15, 0)
    sheet.text(462, 66, "Please pay", 11, align="center", grey=1.0)
    sheet.text(462, 102, "£245.07", 28, bold=True, align="center", grey=1.0)
    sheet.text(462, 126, "by direct debit on 24 January 2025", 8.5, align="center", grey=1.0)
    sheet.text(40, 120, "Account 850 117 3342", 10)
    sheet.text(40, 136, "Supply number (MPAN) 12 0038 5519 604", 10)
    sheet.text(40, 180, "Meter readings, serial S95B-40117", 12, bold=True)
    rows = (
        ("Register", "1 Oct", "31 Dec", "Used kWh", "Pence / kWh", "Cost £"),
        ("Day", "20,418 (actual)", "20,987 (actual)", "569", "29.40", "167.29"),
        ("Night", "11,052 (actual)", "11,347 (estimate)", "295", "14.10", "41.60"),
    )
    y = sheet.table(40, 190, (70, 105, 110, 70, 85, 75), rows, "lrrrrr", 9.5)
    sheet.text(40, y + 34, "How we worked it out", 12, bold=True)
    y += 54
    for label, value in (
        ("Energy used", "208.89"),
        ("Standing charge, 92 days at 52.40p", "48.21"),
        ("Paperless discount", "-3.70"),
        ("Balance of the last bill", "-20.00"),
        ("VAT at 5%", "11.67"),
    ):
        sheet.text(40, y, label, 10)
        y = sheet.text(320, y, value, 10, align="right")
    sheet.line(40, y - 8, 320, y - 8)
    sheet.row(y + 6, [(40, "To pay", "left"), (320, "245.07", "right")], 11, bold=True)
    sheet.text(
        350,
        y - 70,
        "Your tariff: Moor Saver 12\nEnds 30 June 2025\nExit fee £30 for each fuel\n\nSame time last year: 941 kWh",
        10,
    )
    sheet.text(40, 790, "Power cut? Call 105, free. Moving home: tell us 5 working days ahead.", 9)
