import DIGContent
import DIGTestSupport
import Testing

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
        var random = SeededGenerator(seed: 5)
        let alphabet: [Unicode.Scalar] = [".", "/", "\\", "-", " ", "a", "\u{0}", "\u{1b}", "\u{202e}", "\u{301}", "é", "😀", "\u{200d}", "\u{2028}", "_"]
        for _ in 0..<2000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<Int.random(in: 0...40, using: &random) { text.append(alphabet.randomElement(using: &random) ?? "a") }
            let name = FileNameSanitizer.sanitized(String(text))
            let path = try SafePath(fileName: name)
            #expect(path.displayText == name && !name.hasPrefix(".") && !name.hasPrefix("-") && name.utf8.count <= 240)
        }
    }

    @Test("a name that begins with very much white space takes no longer than another", .timeLimit(.minutes(1)))
    func whiteSpace() {
        let spaces = String(repeating: "\u{3000}", count: 16_000)
        for _ in 0..<200 { #expect(FileNameSanitizer.sanitized(spaces + "a") == "a") }
    }
}
