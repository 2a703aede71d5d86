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
