"""What people write before a number that says what it is: in English, German, French, Spanish, Portuguese, Japanese.

Each one counts where a word begins, in any case. Short ones carry what follows them, so that they are not the
beginning of another word: "sin" is one of Spanish as well.
"""


def _short(*words: str) -> tuple[str, ...]:
    """Return words with what stands behind them where they name a number."""
    return tuple(word + end for word in words for end in " \n\t:=#_-.)*|/\"'は")


SOCIAL_SECURITY = (
    "ssn",
    "ss#",
    "ss #",
    "ss no",
    "social security",
    "social-security",
    "social_security",
    "socialsecurity",
    "soc sec",
    "soc. sec",
    "sozialversicherung",
    "sécurité sociale",
    "securite sociale",
    "seguridad social",
    "seguro social",
    "segurança social",
    "seguranca social",
    "社会保障",
    "ソーシャルセキュリティ",
)
"""For numbers of the Social Security Administration."""

TAXPAYER = (
    *_short("itin", "itins"),
    "individual taxpayer",
    "taxpayer id",
    "tax id",
    "steueridentifikation",
    "steuernummer",
    "steuer-id",
    "contribuable",
    "numéro fiscal",
    "contribuyente",
    "identificación fiscal",
    "identificacion fiscal",
    "contribuinte",
    "identificação fiscal",
    "納税者番号",
)
"""For taxpayers' numbers of the Internal Revenue Service."""

NATIONAL = (
    "national id",
    "national-id",
    "national_id",
    "national insurance",
    "identity number",
    "identity card",
    "identification number",
    "id number",
    "id card",
    "personal number",
    "tax number",
    "tax file",
    "tax id",
    "personalausweis",
    "ausweisnummer",
    "identifikationsnummer",
    "steuer",
    "sozialversicherung",
    "numéro national",
    "registre national",
    "carte d'identité",
    "carte d’identité",
    "sécurité sociale",
    "numéro fiscal",
    "documento nacional",
    "documento de identidad",
    "número de identidad",
    "identificación fiscal",
    "cédula",
    "documento de identidade",
    "carteira de identidade",
    "cartão de cidadão",
    "identificação fiscal",
    "contribuinte",
    "個人番号",
    "マイナンバー",
    "身分証",
    "身分证",
)
"""For the number of a person, in whichever country."""

NINE_DIGITS = (
    *NATIONAL,
    *_short("nif", "sin", "nas", "ird"),
    "bsn",
    "tfn",
    "burgerservicenummer",
    "sofinummer",
    "social insurance",
    "assurance sociale",
    "teudat zehut",
    "תעודת זהות",
    "מספר זהות",
)
"""The Netherlands, Portugal, Canada, Australia, Israel, New Zealand."""

TEN_DIGITS = (
    *NATIONAL,
    *_short("nhs", "cpr", "egn", "rč"),
    "personnummer",
    "samordningsnummer",
    "personnr",
    "rodné číslo",
    "svnr",
)
"""The United Kingdom's health service, Sweden, Denmark, Czechia and Slovakia, Austria, Bulgaria."""

ELEVEN_DIGITS = (
    *NATIONAL,
    *_short("tin", "oib", "amka", "fnr"),
    "cpf",
    "idnr",
    "tckn",
    "αμκα",
    "pesel",
    "steuer-id",
    "steueridentifikation",
    "cadastro de pessoa",
    "fødselsnummer",
    "fodselsnummer",
    "personnummer",
    "t.c. kimlik",
    "kimlik",
    "isikukood",
    "asmens kodas",
    "rijksregister",
)
"""Germany, Poland, Brazil, Norway, Turkey, Estonia, Lithuania, Croatia, Greece, Belgium."""

TWELVE_DIGITS = (
    *NATIONAL,
    "aadhaar",
    "aadhar",
    "adhaar",
    "आधार",
    "uidai",
    "my number",
    "mynumber",
    "my-number",
)
"""India, Japan."""

THIRTEEN_DIGITS = (
    *NATIONAL,
    *_short("rrn", "cnp"),
    "resident registration",
    "resident number",
    "주민등록",
    "주민번호",
    "cod numeric personal",
    "บัตรประชาชน",
)
"""South Korea, South Africa, Romania, Thailand."""

COMPANY = ("cnpj", "cadastro nacional")
"""Brazil's register of legal persons, sole traders among them."""

LETTERED = (
    *NATIONAL,
    *_short("dni", "nie", "nif", "fin", "pps"),
    "nric",
    "ppsn",
    "número de extranjero",
    "personal public service",
)
"""Spain, Singapore, Ireland."""

NATIONAL_INSURANCE = ("national insurance", *_short("nino", "ni"), "n.i.")
"""The United Kingdom."""

PERMANENT_ACCOUNT = (*_short("pan"), "permanent account", "पैन", "income tax")
"""India's taxpayers."""

PERSONAL_CODE = (*NATIONAL, "hetu", "henkilötunnu", "personbeteckning")
"""Finland."""

PASSPORT = (
    "passport",
    "travel document",
    "reisepass",
    "passnummer",
    "pass-nr",
    "pass nr",
    "passeport",
    "pasaporte",
    "passaporte",
    "パスポート",
    "旅券",
    "护照",
    "護照",
)
"""For passports."""

DRIVING_LICENCE = (
    *(
        f"{driver}{gap}licen{letter}e"
        for driver in ("driver's", "driver’s", "drivers'", "drivers’", "drivers", "driver", "driving")
        for gap in (" ", "-", "_")
        for letter in "cs"
    ),
    "driverslicense",
    "driverlicense",
    "drivinglicence",
    "driver lic",
    "drivers lic",
    "driver's lic",
    "driving permit",
    *_short("dl", "dln", "cnh"),
    "führerschein",
    "fuehrerschein",
    "fahrerlaubnis",
    "permis de conduire",
    "permiso de conduc",
    "permiso de manejo",
    "carnet de conduc",
    "carné de conducir",
    "licencia de conduc",
    "licencia de manejo",
    "carteira de motorista",
    "carteira de habilitação",
    "carteira nacional de habilitação",
    "carta de condução",
    "habilitação",
    "運転免許",
    "免許証",
)
"""For driving licences."""
