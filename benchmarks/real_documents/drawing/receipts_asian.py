"""Receipts in Korean and Japanese of shops that do not exist, each in a layout of its own."""

from __future__ import annotations

from benchmarks.real_documents.drawing.receipts_western import ROLL
from benchmarks.real_documents.drawing.sheet import Sheet


def draw_korean_cafe(sheet: Sheet) -> None:
    """Draw a Korean café's receipt: four columns, totals below, the order number large."""
    y = sheet.text(ROLL / 2, 32, "달무리 커피 연화점", 14, bold=True, align="center")
    y = sheet.text(
        ROLL / 2, y, "경기도 연화시 물레로 27 1층\n사업자번호 412-07-55830\n전화 031-555-0148", 8, align="center"
    )
    sheet.text(ROLL / 2, y + 16, "주문번호 A-086", 18, bold=True, align="center")
    y = sheet.row(y + 36, [(12, "2025-04-26 14:05", "left"), (ROLL - 12, "POS 01", "right")], 8)
    sheet.line(12, y - 6, ROLL - 12, y - 6)
    columns = ((12, "left"), (124, "right"), (156, "right"), (ROLL - 12, "right"))
    rows = (
        ("품명", "단가", "수량", "금액"),
        ("아이스 아메리카노", "4,300", "2", "8,600"),
        ("흑임자 라떼", "5,800", "1", "5,800"),
        ("당근 케이크", "6,500", "1", "6,500"),
        ("  샷 추가", "500", "1", "500"),
        ("텀블러 할인", "-400", "1", "-400"),
    )
    for number, cells in enumerate(rows):
        places = [(x, cell, align) for (x, align), cell in zip(columns, cells, strict=True)]
        y = sheet.row(y + 4, places, 8.5, bold=number == 0)
    sheet.line(12, y - 4, ROLL - 12, y - 4)
    for label, value in (("과세 물품가액", "19,091원"), ("부가세", "1,909원")):
        y = sheet.row(y + 8, [(12, label, "left"), (ROLL - 12, value, "right")], 9)
    y = sheet.row(y + 8, [(12, "합계", "left"), (ROLL - 12, "21,000원", "right")], 14, bold=True)
    y = sheet.text(12, y + 2, "결제: 한빛카드 5310-****-****-2207 (일시불)\n승인번호 60418827", 8)
    y = sheet.text(12, y + 4, "적립 스탬프 3개 / 누적 8개 (10개 시 음료 1잔 무료)", 8)
    sheet.text(ROLL / 2, y + 8, "화장실 비밀번호 7395*   와이파이 dalmuri2025", 8, align="center")


def draw_korean_pharmacy(sheet: Sheet) -> None:
    """Draw a Korean pharmacy's receipt: a grid of labels and values, as on the official form."""
    sheet.text(200, 36, "약제비 계산서 · 영수증", 16, bold=True, align="center")
    cells = (
        ("교부번호", "20250311-0094", "조제일자", "2025-03-11"),
        ("약국명", "솔내음약국", "사업자번호", "603-91-20477"),
        ("처방 의료기관", "새벽별내과의원", "투약일수", "5일분"),
        ("보험구분", "건강보험", "야간·공휴", "해당 없음"),
    )
    y = 54.0
    for row in cells:
        left = 20.0
        for number, cell in enumerate(row):
            width = 76 if number % 2 == 0 else 104
            sheet.box(left, y, left + width, y + 24, 0.9 if number % 2 == 0 else None)
            sheet.text(left + 5, y + 15.5, cell, 8.5, bold=number % 2 == 0)
            left += width
        y += 24
    rows = (
        ("항목", "금액(원)"),
        ("약가 (급여)", "9,860"),
        ("조제기본료", "1,700"),
        ("복약지도료", "1,150"),
        ("조제료", "3,290"),
        ("의약품관리료", "700"),
        ("약제비 총액", "16,700"),
        ("공단 부담금", "11,700"),
        ("본인 부담금", "5,000"),
        ("비급여 (밴드, 파스)", "7,400"),
    )
    y = sheet.table(20, y + 12, (230, 130), rows, "lr", 9, grid=True)
    sheet.box(20, y + 10, 380, y + 46, 0.94, 1.2)
    sheet.text(30, y + 33, "수납 금액", 12, bold=True)
    sheet.text(370, y + 33, "12,400 원", 15, bold=True, align="right")
    sheet.text(
        20,
        y + 66,
        "현금영수증 승인번호 114507732 (소득공제용)\n복용법: 하루 3회 식후 30분, 흔들어서 복용하는 시럽은 냉장 보관",
        8.5,
    )


def draw_convenience_store(sheet: Sheet) -> None:
    """Draw a Japanese convenience store's receipt: the reduced tax marked beside its items."""
    y = sheet.text(ROLL / 2, 34, "あおば商店", 18, align="center")
    y = sheet.text(ROLL / 2, y, "霧島坂三丁目店\n青見県霧島市坂町3-8-15\n電話 099-555-0126", 8, align="center")
    y = sheet.text(ROLL / 2, y + 2, "登録番号 T4810599023317", 8, align="center")
    y = sheet.row(y + 8, [(12, "2025年6月8日(日) 12:31", "left"), (ROLL - 12, "レジ #2", "right")], 8)
    y = sheet.text(12, y, "レシート番号 0773", 8) + 4
    for name, price in (
        ("鮭おにぎり", "¥168軽"),
        ("麦茶 600ml", "¥118軽"),
        ("たまごサンド", "¥298軽"),
        ("単三電池 4本", "¥498"),
        ("レジ袋 中", "¥5"),
    ):
        y = sheet.row(y, [(12, name, "left"), (ROLL - 12, price, "right")], 9)
    sheet.line(12, y - 6, ROLL - 12, y - 6, dashed=True)
    y = sheet.row(y + 8, [(12, "小計(税抜 8%)", "left"), (ROLL - 12, "¥584", "right")], 8.5)
    y = sheet.row(y, [(12, "消費税等(8%)", "left"), (ROLL - 12, "¥46", "right")], 8.5)
    y = sheet.row(y, [(12, "小計(税抜10%)", "left"), (ROLL - 12, "¥503", "right")], 8.5)
    y = sheet.row(y, [(12, "消費税等(10%)", "left"), (ROLL - 12, "¥50", "right")], 8.5)
    y = sheet.row(y + 8, [(12, "合計", "left"), (ROLL - 12, "¥1,183", "right")], 16)
    y = sheet.row(y, [(12, "交通系IC支払", "left"), (ROLL - 12, "¥1,183", "right")], 9)
    y = sheet.row(y, [(12, "カード残高", "left"), (ROLL - 12, "¥2,640", "right")], 9)
    sheet.text(12, y + 8, "軽印は軽減税率8%対象商品です。\n返品は7日以内にレシートをお持ちください。", 7.5)


def draw_japanese_inn(sheet: Sheet) -> None:
    """Draw a Japanese inn's handwritten form of a receipt: the amount in the middle, what it is made of at the left."""
    sheet.box(14, 14, 506, 266, None, 1.4)
    sheet.text(260, 46, "領 収 証", 20, align="center")
    sheet.text(490, 40, "No. 001852", 9, align="right")
    sheet.text(490, 56, "2024年10月19日", 9, align="right")
    sheet.text(40, 84, "株式会社 三日月製作所 御中", 12)
    sheet.line(36, 90, 300, 90)
    sheet.box(120, 104, 400, 142, 0.93, 1.0)
    sheet.text(260, 131, "¥ 58,740 −", 22, align="center")
    sheet.text(120, 162, "但し 宿泊料(2名様・1泊2食)として", 10)
    sheet.text(120, 178, "上記正に領収いたしました", 10)
    rows = (("内訳", "金額"), ("税抜金額", "53,000円"), ("消費税(10%)", "5,300円"), ("入湯税", "440円"))
    sheet.table(30, 188, (80, 84), rows, "lr", 8.5, grid=True)
    sheet.text(260, 206, "湯の宿 しらさぎ荘", 14)
    sheet.text(260, 224, "白鷺県鷺沢郡湯本町大字滝ノ上118\n電話 0555-55-0190   登録番号 T7710288461509", 8.5)
    sheet.text(260, 254, "お部屋: 松の間   担当: 帳場", 8.5)
