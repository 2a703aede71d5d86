import DIGContent
import Testing

@Suite("Display text")
struct DisplayTextTests {
    @Test("what could command a terminal or disguise the text is shown as its number")
    func escaping() {
        #expect(DisplayText.escaped("plain é 日本 😀 👩‍👩‍👧") == "plain é 日本 😀 👩‍👩‍👧")
        #expect(DisplayText.escaped("\u{1b}[31m") == "\\u{1b}[31m")
        #expect(DisplayText.escaped("a\u{202e}b\u{2066}c\u{200f}") == "a\\u{202e}b\\u{2066}c\\u{200f}")
        #expect(DisplayText.escaped("a\r\nb\u{85}\u{2028}\u{feff}\u{e0041}") == "a\\u{d}\\u{a}b\\u{85}\\u{2028}\\u{feff}\\u{e0041}")
    }
}
