import DIGCommandLine
import Testing

@Suite("Terminal text")
struct TerminalTextTests {
    @Test("counts columns: wide letters and emoji take two, combining marks none")
    func width() {
        #expect(TerminalText.width(of: "") == 0)
        #expect(TerminalText.width(of: "abc") == 3)
        #expect(TerminalText.width(of: "e\u{301}") == 1)
        #expect(TerminalText.width(of: "漢字") == 4)
        #expect(TerminalText.width(of: "👩‍👩‍👧") == 2)
        #expect(TerminalText.width(of: "▕█▏") == 3)
    }

    @Test("cuts in the middle and never exceeds the columns")
    func truncate() {
        #expect(TerminalText.truncated("short", to: 5) == "short")
        #expect(TerminalText.truncated("holiday-pictures.tar.gz", to: 12) == "holiday-….gz")
        #expect(TerminalText.truncated("漢字漢字漢字", to: 6) == "漢字…")
        #expect(TerminalText.truncated("abc", to: 1) == "…")
        #expect(TerminalText.truncated("abc", to: 0) == "")
        for columns in 0...24 {
            #expect(TerminalText.width(of: TerminalText.truncated("ab漢字👩‍👩‍👧e\u{301}fgh漢", to: columns)) <= columns)
        }
    }

    @Test("escapes what would steer the terminal")
    func harmful() {
        #expect(TerminalText.singleLine("a\u{1B}]0;x\u{7}b\u{202E}") == "a\\u{1b}]0;x\\u{7}b\\u{202e}")
        #expect(!TerminalText.isHarmless("\u{7F}"))
        #expect(!TerminalText.isHarmless("\u{85}"))
        #expect(TerminalText.isHarmless("é"))
    }

    @Test("COLUMNS decides the width; nonsense does not")
    func columns() {
        // Descriptor -1 is no terminal.
        #expect(Terminal(descriptor: -1, environment: ["COLUMNS": "132", "LANG": "de_DE.UTF-8"]) == Terminal(isInteractive: false, columns: 132))
        #expect(Terminal(descriptor: -1, environment: ["COLUMNS": "x"]) == Terminal(isInteractive: false, columns: 80, drawsUnicode: false))
        #expect(Terminal(descriptor: -1, environment: ["COLUMNS": "3", "LC_ALL": "C", "LANG": "C.UTF-8"]).columns == 20)
        #expect(!Terminal(descriptor: -1, environment: ["LC_ALL": "C", "LANG": "C.UTF-8"]).drawsUnicode)
    }
}
