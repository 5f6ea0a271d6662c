"""Invoices in Korean and Japanese of firms that do not exist, each in a layout of its own."""

from __future__ import annotations

from benchmarks.real_documents.drawing.sheet import Sheet


def draw_tax_invoice(sheet: Sheet) -> None:
    """Draw a Korean tax invoice: two boxes side by side, titles down their edges, a grid of items."""
    sheet.text(297, 60, "전자세금계산서 (공급받는자 보관용)", 18, bold=True, align="center")
    sheet.text(545, 84, "승인번호 20250520-41000027-77105493", 9, align="right")
    parties = (
        ("공급자", "505-86-11942", "(주)한솔바람기계", "충청북도 은석군 새말로 210", "제조업 / 산업용 송풍기"),
        ("공급받는자", "318-81-60257", "다온식품 주식회사", "전라남도 고요군 포구길 8", "제조업 / 수산가공"),
    )
    for number, (title, registration, name, address, trade) in enumerate(parties):
        left = 50.0 + 250 * number
        sheet.box(left, 94, left + 22, 194, 0.88)
        for place, letter in enumerate(title):
            sheet.text(left + 11, 114 + place * 16, letter, 10, bold=True, align="center")
        for row, (label, value) in enumerate(
            (("등록번호", registration), ("상호", name), ("주소", address), ("업태/종목", trade))
        ):
            top = 94 + row * 25
            sheet.box(left + 22, top, left + 82, top + 25, 0.95)
            sheet.box(left + 82, top, left + 245, top + 25)
            sheet.text(left + 27, top + 16, label, 8.5)
            sheet.text(left + 87, top + 16, value, 9.5)
    totals = (("작성일자", "공급가액", "세액", "비고"), ("2025-05-20", "9,340,000", "934,000", "계약 DS-25-014"))
    sheet.table(50, 206, (110, 130, 120, 135), totals, "crrl", 10, grid=True)
    rows = (
        ("월", "일", "품목", "규격", "수량", "단가", "공급가액", "세액"),
        ("05", "08", "원심 송풍기", "HB-750", "4", "1,650,000", "6,600,000", "660,000"),
        ("05", "08", "방진 스프링", "Ø60", "16", "45,000", "720,000", "72,000"),
        ("05", "13", "덕트 연결 공사", "식", "1", "1,400,000", "1,400,000", "140,000"),
        ("05", "16", "시운전 및 교육", "2일", "2", "310,000", "620,000", "62,000"),
    )
    sheet.table(50, 256, (26, 26, 112, 60, 40, 76, 85, 70), rows, "cclcrrrr", 9, grid=True)
    sheet.box(50, 366, 545, 400, 0.93)
    sheet.text(60, 388, "합계금액 10,274,000원", 14, bold=True)
    sheet.text(535, 388, "현금 0 · 외상미수금 10,274,000 (청구)", 10, align="right")
    sheet.text(50, 424, "하자보증 기간: 시운전 완료일로부터 18개월\n지급기한: 2025년 6월 30일", 10)


def draw_quote_bill(sheet: Sheet) -> None:
    """Draw a Korean bill of an event agency: labels left of values, the total in words at the top."""
    sheet.text(60, 74, "청 구 서", 26, bold=True)
    sheet.line(60, 84, 535, 84, 2)
    facts = (
        ("청구번호", "MS-0912-3"),
        ("청구일", "2024년 9월 12일"),
        ("받는 곳", "푸른언덕 문화재단 귀중"),
        ("행사명", "제7회 가을밤 책잔치"),
        ("행사 장소", "달빛공원 야외무대"),
        ("청구금액", "금 사백팔십이만구천원정 (₩4,829,000)"),
    )
    y = 110.0
    for label, value in facts:
        sheet.text(60, y, label, 10.5, bold=True, grey=0.3)
        sheet.text(150, y, value, 11)
        y += 24
    rows = (
        ("내역", "산출 근거", "금액"),
        ("음향 장비 임차", "1식 × 2일", "1,800,000"),
        ("천막 설치", "8동 × 85,000", "680,000"),
        ("행사 진행 요원", "6명 × 2일 × 110,000", "1,320,000"),
        ("홍보 현수막", "5장 × 38,000", "190,000"),
        ("우천 대비 비옷", "250벌 × 1,600", "400,000"),
    )
    y = sheet.table(60, 260, (160, 195, 120), rows, "llr", 10.5)
    y += 10
    for label, value in (("소계", "4,390,000"), ("부가가치세 10%", "439,000"), ("합계", "4,829,000")):
        y = sheet.row(y + 10, [(440, label, "right"), (531, value, "right")], 11, bold=label == "합계")
    sheet.box(60, 500, 300, 590, 0.94, 0)
    sheet.text(72, 520, "입금 계좌", 11, bold=True)
    sheet.text(72, 540, "물결은행 081-22-004615\n예금주 문장과사람들\n입금 기한 2024. 9. 27.", 10.5)
    sheet.text(535, 640, "문장과사람들  (사업자등록번호 127-33-90518)", 11, align="right")
    sheet.text(60, 700, "※ 행사가 취소되면 3일 전까지 통지 시 청구금액의 30%만 받습니다.", 10)


def draw_japanese_bill(sheet: Sheet) -> None:
    """Draw a Japanese bill: the total underlined at the top, tax withheld at the end, a bank account in a box."""
    sheet.text(297, 66, "請　求　書", 24, align="center")
    sheet.text(545, 96, "請求番号 2025-0731-B\n発行日 2025年7月31日", 9.5, align="right")
    sheet.text(50, 124, "株式会社 ひなたぼっこ出版　御中", 14)
    sheet.line(50, 130, 300, 130)
    sheet.text(545, 150, "装丁室 つばめ\n風見県灯台市港町2-4-7\n登録番号 T3810442967051", 10, align="right")
    sheet.text(50, 176, "下記のとおりご請求申し上げます。", 10)
    sheet.text(50, 212, "ご請求金額　¥271,828 −", 20)
    sheet.line(50, 220, 300, 220, 1.6)
    rows = (
        ("品名", "数量", "単位", "単価", "金額"),
        ("装丁デザイン「海辺の郵便局」", "1", "点", "150,000", "150,000"),
        ("帯デザイン", "1", "点", "30,000", "30,000"),
        ("本文図版作成", "14", "点", "4,500", "63,000"),
        ("色校正立ち会い", "3", "時間", "9,800", "29,400"),
    )
    y = sheet.table(50, 240, (240, 45, 45, 75, 90), rows, "lrcrr", 10, grid=True)
    totals = (("小計", "272,400"), ("消費税(10%)", "27,240"), ("源泉徴収税額", "-27,812"), ("差引合計", "271,828"))
    for number, (label, value) in enumerate(totals):
        top = y + number * 22
        sheet.box(335, top, 455, top + 22, 0.93)
        sheet.box(455, top, 545, top + 22)
        sheet.text(345, top + 15, label, 10)
        sheet.text(541, top + 15, value, 10, align="right")
    sheet.box(50, 480, 330, 560)
    sheet.text(62, 500, "お振込先", 11)
    sheet.text(62, 518, "さざなみ銀行 灯台支店\n普通 4410926 ソウテイシツツバメ\n振込手数料はご負担ください", 10)
    sheet.text(50, 590, "お支払期限　2025年8月29日", 11)
    sheet.text(50, 612, "備考: 電子書籍版の表紙は単価に含まれます。増刷時の修正は1回8,000円です。", 10)


def draw_japanese_delivery(sheet: Sheet) -> None:
    """Draw a Japanese delivery note that is a bill: rates of tax marked by signs, sums of each in a corner."""
    sheet.box(40, 40, 555, 90, 0.9, 0)
    sheet.text(56, 72, "納品書 兼 請求書", 20)
    sheet.text(540, 62, "伝票番号 N-50218", 10, align="right")
    sheet.text(540, 80, "納品日 2024/12/20", 10, align="right")
    sheet.text(40, 120, "喫茶 木もれ日 様", 14)
    sheet.text(40, 140, "お客様コード 00731 ／ 締日 20日 ／ 支払 翌月10日", 9.5)
    sheet.text(555, 120, "有限会社 峠の茶園", 13, align="right")
    sheet.text(555, 138, "霧ヶ沢市茶畑町15 ・ T9920755103846", 9.5, align="right")
    rows = (
        ("コード", "商品", "産地", "数量", "単価", "金額", ""),
        ("TG-101", "煎茶 特上 100g", "霧ヶ沢", "24", "864", "20,736", "※"),
        ("TG-115", "ほうじ茶 200g", "霧ヶ沢", "30", "540", "16,200", "※"),
        ("TG-203", "抹茶 製菓用 500g", "白川台", "4", "4,320", "17,280", "※"),
        ("UT-008", "急須 常滑風 朱泥", "南浜", "3", "5,500", "16,500", ""),
        ("UT-021", "竹茶さじ", "南浜", "10", "660", "6,600", ""),
        ("SV-001", "名入れ包装", "", "24", "110", "2,640", ""),
    )
    y = sheet.table(40, 166, (64, 170, 66, 50, 62, 74, 29), rows, "lllrrrc", 10)
    sheet.text(40, y + 20, "金額は税込。※は軽減税率(8%)対象。", 9)
    sums = (("税率", "税込対価", "内消費税"), ("10%", "25,740", "2,340"), ("8%", "54,216", "4,016"))
    sheet.table(300, y + 34, (60, 105, 90), sums, "crr", 10, grid=True)
    sheet.box(40, y + 40, 250, y + 96, None, 1.4)
    sheet.text(52, y + 58, "合計", 10)
    sheet.text(240, y + 84, "¥79,956", 20, align="right")
    sheet.text(40, y + 124, "次回入荷: 新茶は5月2日より。欠品 TG-120(玉露)は1月中旬に出荷します。", 10)
