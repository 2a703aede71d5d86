import DIGContent
import Testing

@Suite("Safe paths")
struct SafePathTests {
    @Test("ordinary relative paths are taken as they are", arguments: ["a", "a/b", ".hidden", "...", "a b/c\u{301}.txt", "日本語/ファイル", "a..b/..c", "~", "-rf", "C:"])
    func accepted(text: String) throws {
        let path = try SafePath(text)
        #expect(path.string == text && path.components.joined(separator: "/") == text)
    }

    @Test(
        "paths that leave the folder or harm a terminal are refused",
        arguments: [
            "", "/", "/etc/passwd", "//a", "..", "../a", "a/..", "a/../b", "a/../../b", ".", "./a", "a/./b", "a/.", "a//b", "a/", "a\u{0}b", "a\nb", "a\u{1b}[2Jb", "a\u{7f}",
            "a\u{9b}31m", "..\\a", "a\\b", "\\\\server\\share", "a\r", "a\tb",
        ])
    func refused(text: String) {
        #expect(throws: ContentError(.unsafePath, "")) { try SafePath(text) }
    }

    @Test("limits hold exactly: 255 bytes for a component, 4096 in all, 64 components")
    func limits() throws {
        _ = try SafePath(String(repeating: "a", count: 255))
        #expect(throws: ContentError(.unsafePath, "")) { try SafePath(String(repeating: "a", count: 256)) }
        #expect(throws: ContentError(.unsafePath, "")) { try SafePath(String(repeating: "é", count: 128)) }
        let sixteen = Array(repeating: String(repeating: "a", count: 255), count: 16).joined(separator: "/")
        #expect(sixteen.utf8.count == 4095)
        _ = try SafePath(sixteen)
        #expect(throws: ContentError(.unsafePath, "")) { try SafePath(sixteen + "/b") }
        _ = try SafePath(Array(repeating: "a", count: 64).joined(separator: "/"))
        #expect(throws: ContentError(.unsafePath, "")) { try SafePath(Array(repeating: "a", count: 65).joined(separator: "/")) }
    }

    @Test("two spellings of one letter are two paths")
    func spelling() throws {
        let composed = try SafePath("\u{e9}")
        let decomposed = try SafePath("e\u{301}")
        #expect(composed != decomposed && Set([composed, decomposed]).count == 2 && decomposed < composed)
    }

    @Test("a file name is one component")
    func fileName() throws {
        #expect(try SafePath(fileName: "a.txt").fileName == "a.txt")
        #expect(try SafePath("x/y/a.txt").fileName == "a.txt")
        #expect(throws: ContentError(.unsafePath, "")) { try SafePath(fileName: "a/b") }
        #expect(throws: ContentError(.unsafePath, "")) { try SafePath(fileName: "..") }
    }

    @Test("error messages carry no control character")
    func messages() {
        let error = #expect(throws: ContentError.self) { try SafePath("a\u{1b}]0;x\u{7}\u{202e}") }
        #expect(error?.description.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e } == true)
    }
}

@Suite("File name sanitizer")
struct FileNameSanitizerTests {
    @Test("hostile names become one harmless component")
    func names() {
        let expected: [(String, String)] = [
            ("movie.mp4", "movie.mp4"), ("../../etc/passwd", "passwd"), ("..\\..\\boot.ini", "boot.ini"), ("/abs/file", "file"), (".bashrc", "_bashrc"),
            ("-rf", "_rf"), ("a\u{1b}[2Jb", "a_[2Jb"), ("gpj.\u{202e}exe", "gpj._exe"), ("a:b|c?.txt", "a_b_c_.txt"), ("  name . ", "name"),
            ("", "download"), (".", "download"), ("..", "download"), ("dir/", "download"), ("\u{0}", "download"), ("...", "download"), ("日本.txt", "日本.txt"),
        ]
        for (name, result) in expected { #expect(FileNameSanitizer.sanitized(name) == result, "\(name.debugDescription)") }
        #expect(FileNameSanitizer.sanitized("", fallback: "file") == "file")
    }

    @Test("long names are cut between characters and keep their extension")
    func long() {
        let name = FileNameSanitizer.sanitized(String(repeating: "é", count: 5000) + ".tar.gz")
        #expect(name == String(repeating: "é", count: 118) + ".gz")
        let plain = FileNameSanitizer.sanitized(String(repeating: "x", count: 100_000))
        #expect(plain == String(repeating: "x", count: FileNameSanitizer.maximumByteCount))
    }

    @Test("whatever goes in, a safe file name comes out")
    func arbitrary() throws {
        var random = SeededGenerator(state: 5)
        let alphabet: [Unicode.Scalar] = [".", "/", "\\", "-", " ", "a", "\u{0}", "\u{1b}", "\u{202e}", "\u{301}", "é", "😀", "\u{200d}", "\u{2028}", "_"]
        for _ in 0..<2000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...40, using: &random) { text.append(alphabet.randomElement(using: &random) ?? "a") }
            let name = FileNameSanitizer.sanitized(String(text))
            let path = try SafePath(fileName: name)
            #expect(path.displayText == name && !name.hasPrefix(".") && !name.hasPrefix("-") && name.utf8.count <= 240)
        }
    }
}

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
