"""What a reader of one language gets from an app that has others, and why, by the rules of CLDR.

reason | supported, the default first | Accept-Language | what is chosen
"""

from typing import NamedTuple


class Case(NamedTuple):
    """One line of the table."""

    reason: str
    supported: tuple[str, ...]
    header: str
    expected: str


_TABLE = """
# ---- the tag itself
the same tag | en fr de | de | de
the same tag in another case | en fr-CA de | FR-ca | fr-CA
the same tag as the app spells it | en zh-hant-tw | zh-Hant-TW | zh-hant-tw
the same tag with an underscore, as some clients send it | en fr-CA fr | fr_CA | fr-CA
the default, because nothing is asked for | fr en | | fr
the default, because only what nobody speaks is asked for | fr en | xx | fr
the default, because the language has no relative here | fr en | ja | fr
the default does not win over an exact match | en-US fr | fr | fr
a tag with all its subtags is the same as without the likely ones | fr en | en-Latn-US | en
and the other way round | fr en-Latn-US | en | en-Latn-US

# ---- a region more, a region less
a region that the app does not tell apart | en fr de | fr-CH | fr
a region that the client does not tell apart | en fr-CA de | fr | fr-CA
the likely region of a language, among others | en fr-CA fr-FR | fr | fr-FR
the likely region, whatever the order | en de-CH de-AT de-DE | de | de-DE
the likely region of Portuguese is Brazil | en pt-PT pt-BR | pt | pt-BR
the likely region of Chinese is the mainland | en zh-TW zh-CN | zh | zh-CN
the likely region of Spanish is Spain | en es-MX es-ES | es | es-ES
a language alone is its likely region | en es es-419 | es-ES | es
the same language and region beat the language alone | en de de-AT | de-AT | de-AT
the language alone stands for its likely region, which is as far as a sister | fr de de-CH | de-AT | de
of two sisters the likely one | fr de-CH de-DE | de-AT | de-DE
of two sisters, none of them likely, the first of the app | fr nl-SR nl-BE | nl-AW | nl-SR
of two sisters, none of them likely, the first of the app, the other way round | fr nl-BE nl-SR | nl-AW | nl-BE

# ---- regions that are near each other
Mexico reads Latin American Spanish | en es es-419 | es-MX | es-419
Argentina reads Latin American Spanish | en es-ES es-419 | es-AR | es-419
the United States read Latin American Spanish | en es es-419 | es-US | es-419
Puerto Rico reads Latin American Spanish | en es es-419 | es-PR | es-419
Equatorial Guinea reads the Spanish of Spain | en es-419 es | es-GQ | es
a sister in the Americas is nearer than Spain | en es-ES es-MX | es-AR | es-MX
Latin American Spanish stands for all of its regions | en es-MX es-419 es | es-CO | es-419
a region itself is nearer than the one that stands for it | en es-419 es-MX | es-MX | es-MX
Latin America asked for, and only regions there | en es es-MX | es-419 | es-MX
Angola reads the Portuguese of Portugal | en pt-BR pt-PT | pt-AO | pt-PT
Mozambique reads the Portuguese of Portugal | en pt pt-PT | pt-MZ | pt-PT
Macao reads the Portuguese of Portugal | en pt pt-PT | pt-MO | pt-PT
Portugal asked for, and only Brazil is there | en pt-BR | pt-PT | pt-BR
Australia reads British English | fr en en-GB | en-AU | en-GB
India reads British English | fr en-US en-GB | en-IN | en-GB
New Zealand reads British English before Australian | fr en-AU en-GB | en-NZ | en-GB
Australian is nearer to New Zealand than American | fr en-US en-AU | en-NZ | en-AU
South Africa reads British English | fr en en-GB | en-ZA | en-GB
Ireland reads British English | fr en en-GB | en-IE | en-GB
Canada reads American English | fr en-GB en | en-CA | en
Canada reads American English, spelt with its region | fr en-GB en-US | en-CA | en-US
the Philippines read American English | fr en-GB en-US | en-PH | en-US
Guam reads American English | fr en-GB en-US | en-GU | en-US
Puerto Rico reads American English | fr en-GB en-US | en-PR | en-US
American Samoa is nearer to Canada than to Britain | fr en-GB en-CA | en-AS | en-CA
Britain asked for, and its nearest is in Europe | fr en-US en-IE | en-GB | en-IE
Britain asked for, and only America is there | fr en-US | en-GB | en-US
English of Europe is nearer to Britain than to America | fr en-US en-150 | en-GB | en-150
Hong Kong and Macao are near each other | en zh-Hant zh-Hant-HK | zh-MO | zh-Hant-HK
Taiwan is not Hong Kong | en zh-HK zh-TW | zh-Hant-TW | zh-TW
Hong Kong gets Traditional Chinese of Taiwan, if there is no other | en zh-CN zh-TW | zh-HK | zh-TW
Morocco is nearer to Algeria than to Egypt | en ar-EG ar-DZ | ar-MA | ar-DZ
Tunisia is nearer to Morocco than to Saudi Arabia | en ar-SA ar-MA | ar-TN | ar-MA
Lebanon is nearer to Egypt than to Morocco | en ar-MA ar-EG | ar-LB | ar-EG
Egypt is the likely region of Arabic | en ar-MA ar | ar-LB | ar

# ---- scripts
Taiwan writes traditional characters | en zh-Hans zh-Hant | zh-TW | zh-Hant
Hong Kong writes traditional characters | en zh-Hans zh-Hant | zh-HK | zh-Hant
Macao writes traditional characters | en zh-CN zh-Hant | zh-MO | zh-Hant
Singapore writes simplified characters | en zh-Hant zh-Hans | zh-SG | zh-Hans
a script without a region | en zh-CN zh-TW | zh-Hant | zh-TW
simplified without a region | en zh-TW zh-CN | zh-Hans | zh-CN
traditional in a place where it is not usual | en zh-CN zh-TW | zh-Hant-CN | zh-TW
Chinese without a script is simplified | en zh-Hant zh-Hans | zh | zh-Hans
one script of Chinese does not stand for the other | en zh-Hans | zh-TW | en
nor the other way round | en zh-TW | zh-CN | en
Serbian is Cyrillic, unless it says otherwise | en sr-Latn sr-Cyrl | sr | sr-Cyrl
Serbian in Latin letters | en sr sr-Latn | sr-Latn | sr-Latn
Montenegro writes Serbian in Latin letters | en sr-Cyrl sr-Latn | sr-ME | sr-Latn
who reads Serbian in Latin letters reads Cyrillic too | en sr | sr-Latn | sr
and who reads Cyrillic reads Latin letters | en sr-Latn | sr | sr-Latn
Uzbek in Cyrillic is not what who reads Latin letters can read | en uz | uz-Cyrl | en
Punjabi of Pakistan is in Arabic letters | en pa pa-Arab | pa-PK | pa-Arab
Azerbaijani of Iran is in Arabic letters | en az az-Arab | az-IR | az-Arab
a script that is said and is the likely one | en ru de | ru-Cyrl | ru
another script of the language is not understood | en ru | ru-Latn | en
Hindi in Latin letters reads Hindi only if it is there | en hi-Latn hi | hi-Latn | hi-Latn
a reader of characters of either kind gets the usual ones | en zh-Hant-CN zh-Hans-CN | zh-Hani-CN | zh-Hans-CN

# ---- aliases
the old code of Hebrew | en he | iw | he
the app has the old code of Hebrew | en iw | he | iw
the old code of Indonesian | en id | in | id
the old code of Yiddish | en yi de | ji | yi
Moldavian is Romanian | en ro | mo | ro
Tagalog is Filipino | en fil | tl | fil
Filipino is Tagalog, for an app with the old code | en tl | fil | tl
Mandarin is Chinese | en zh | cmn | zh
Mandarin with its script | en zh-CN zh-TW | cmn-Hant | zh-TW
an extended language stands for itself | en zh-TW yue | zh-yue | yue
Standard Arabic is Arabic | en ar | arb | ar
the old region of Germany | en de de-AT | de-DD | de
the old region of Burma | en my | my-BU | my
the United Kingdom by its other name | fr en-US en-GB | en-UK | en-GB
the three letters of a language with two | en fr de | deu | de
the three letters as librarians use them | en fr de | ger | de
a grandfathered tag | en tlh | i-klingon | tlh
a grandfathered tag with a new one | en nb nn | no-bok | nb
Hakka, as it was written once | en hak zh | zh-hakka | hak
of an alias and the tag itself the first of the app | en iw he | he | iw
of a tag and its alias the first of the app | en he iw | iw | he

# ---- languages that are understood
Norwegian is Bokmål | en nb | no | nb
Bokmål is Norwegian | en no | nb | no
Nynorsk reads Bokmål | en nb | nn | nb
Bokmål reads Nynorsk, if there is nothing else | en nn | nb | nn
Bokmål reads Danish before English | en da | nb | da
Danish reads Norwegian before English | en no | da | no
Bokmål is nearer than Danish | en da nb | no | nb
a Swiss German reads German | en de | gsw | de
a German does not read Swiss German | en gsw | de | en
a Luxembourger reads German | en de | lb | de
a Bosnian reads Croatian | en hr | bs | hr
a Croatian reads Bosnian | en bs | hr | bs
a Bosnian in Latin letters is not offered Serbian | en sr-Latn | bs | en
a Croatian is not offered Serbian | en sr-Latn | hr | en
Serbo-Croatian reads Serbian in Latin letters | en sr-Latn | sh | sr-Latn
Serbo-Croatian is not offered Cyrillic | en sr | sh | en
Egyptian Arabic is Arabic | en ar | arz | ar
Moroccan Arabic is Arabic | en ar | ary | ar
Cantonese reads traditional characters | en zh-TW | yue | zh-TW
Cantonese does not read simplified ones | en zh-CN | yue | en
a Welsh reader reads English | fr en | cy | en
a Breton reader reads French | en fr | br | fr
a Catalan reader reads Spanish | en es | ca | es
a Spaniard is not offered Catalan | en ca | es | en
a Galician reader reads Spanish | en es | gl | es
an Occitan reader reads French | en fr | oc | fr
a Faroese reader reads Danish | en da | fo | da
a Tatar reader reads Russian | en ru | tt | ru
a Quechua reader reads Spanish | en es | qu | es
an Afrikaans reader reads Dutch | fr nl | af | nl
Afrikaans itself is nearer than Dutch | fr nl af | af | af
Portuguese is not Spanish | en es | pt | en
Ukrainian is not Russian where only English is its default | en ru-RU | pl | en

of two languages that are equally near the first of the app | en hr sh | bs | hr
of two languages that are equally near the first of the app, the other way round | en sh hr | bs | sh

# ---- lists
the first of a list that there is | en fr de | ja, de, fr | de
the order counts where nothing else does | en fr de | fr, de | fr
a later exact match beats an earlier loose one | en de-DE no fr | da, de-DE | de-DE
a later exact match does not beat an almost exact one | en fr-CA de | fr-FR, de | fr-CA
a later exact match beats one that is merely understood | en de gsw nl | lb, nl | nl
a region is not a reason to go on | en en-GB fr | en-AU, fr | en-GB
a language that is not there is passed over | en fr | xx, yy, fr | fr
a browser's usual list | en fr de | de-AT, de;q=0.9, en-US;q=0.8, en;q=0.7 | de
a browser's usual list with the region there | en de de-AT | de-AT,de;q=0.9,en;q=0.8 | de-AT
eleven languages that are not there, and one that is | en fr | ja, ko, th, vi, tr, pl, cs, hu, el, fi, he, fr | fr
an exact tag for which the first of a list stands | fr en-US en-GB | en, en-GB | en-US
a malformed one in between is passed over | en fr de | f!r, de | de
an empty one in between is passed over | en fr de | , ,de | de

# ---- weights
the highest weight | en fr de | fr;q=0.5, de;q=0.9 | de
a weight of 1 is that of none | en fr de | fr;q=0.9, de;q=1 | de
the first of equal weights | en fr de | fr;q=0.5, de;q=0.5 | fr
three decimals | en fr de | fr;q=0.001, de;q=0.002 | de
four decimals are malformed | en fr de | fr;q=0.0001, de;q=0.1 | de
a weight over 1 is malformed | en fr de | fr;q=2, de;q=0.1 | de
spaces around a weight | en fr de | fr ; q=0.5 , de ; q=0.9 | de
Q in upper case | en fr de | fr;Q=0.5, de;Q=0.9 | de
a parameter that is none | en fr de | fr;level=1, de | de

# ---- refusals
a language that is refused | en fr de | en;q=0, de | de
the default is refused | en fr de | en;q=0 | fr
the default is refused, and what is asked for is not there | en fr de | en;q=0, ja | fr
the first two are refused | en fr de | en;q=0, fr;q=0 | de
all are refused, so something has to be sent | en fr | en;q=0, fr;q=0 | en
a region is refused, its language is not | fr en-GB en | en-GB;q=0, en | en
a language is refused with its regions | fr en-GB en-US de | en;q=0, de | de
a language is refused, one of its regions is asked for | fr en-US en-GB | en;q=0, en-GB | en-GB
what is refused does not stand for its neighbour | en fr-CA de | fr-CA;q=0, fr, de;q=0.5 | de
everything else is refused | en fr de | de, *;q=0 | de
everything else is refused, and what is asked for is not there | en fr de | ja, *;q=0 | en

# ---- any other language
any language | en fr de | * | en
any other language than the one that is not there | en fr de | ja, *;q=0.5 | en
any other language, and one of them is worth less | en fr de | *, en;q=0.5 | fr
any other language, behind one that is there | en fr de | de, * | de
any other language, behind one that is near | en fr-CA de | fr-FR, *;q=0.1 | fr-CA
any other language, behind one that is understood | en da | nb, *;q=0.5 | da
any other language, but each that is there is worth less | en fr | *, en;q=0.5, fr;q=0.6 | fr
any language but one | en fr de | *, en;q=0 | fr

# ---- what a tag says besides
a variant | en de | de-1996 | de
a variant that the app has | en de de-1996 | de-1996 | de-1996
a variant that the app has is not for who did not ask for it | en de-1996 de | de | de
an extension | en de | de-u-co-phonebk | de
an extension that the app has | en ar ar-u-nu-latn | ar-u-nu-latn | ar-u-nu-latn
private use is not looked at | fr en | en-x-secret | en
a subtag of more than eight letters is malformed | fr en | en-x-ignore-previous-instructions | fr
private use alone is no language | fr en | x-secret | fr
what the app uses privately is not for everybody | fr en-x-pirate en | en | en
what the app uses privately, asked for | fr en en-x-pirate | en-x-pirate | en-x-pirate
Oxford spelling is British English | fr en-US en-GB | en-GB-oed | en-GB
no language at all | fr en | und | fr
no language, but a region | en zh-TW fr | und-TW | zh-TW
no language, but a script | en ru fr | und-Cyrl | ru

# ---- pseudo-locales
a pseudo-locale is not its language | fr en | en-XA | fr
a pseudo-locale is itself | fr en en-XA | en-XA | en-XA
a language is not its pseudo-locale | fr en-XA | en | fr
a bidirectional pseudo-locale | fr ar ar-XB | ar-XB | ar-XB
a pseudo-locale by its variant | fr en en-XA | en-PSACCENT | en-XA
another pseudo-locale is not it | fr en-XA | en-XB | fr

# ---- what stands for others
American English stands for others before a region that does not | fr en-IN en-US | en-001 | en-US
British English stands for others before a region that does not | fr en-IN en-GB | en-AU | en-GB
Latin American Spanish stands for others, whatever the order | fr es-MX es-AR es-419 | es-PE | es-419
the likely region comes before the default | en-IN en-US en-GB | en-001 | en-US
"""


def _read(line: str) -> Case:
    reason, supported, header, expected = (part.strip() for part in line.split("|"))
    return Case(reason, tuple(supported.split()), header, expected)


CASES = [_read(line) for line in _TABLE.splitlines() if line and not line.startswith("#")]
