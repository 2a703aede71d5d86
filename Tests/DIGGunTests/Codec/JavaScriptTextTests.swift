import Foundation
import Testing

@testable import DIGGun

@Suite("JSON as JavaScript writes it")
struct JavaScriptTextTests {
    private func vectors() throws -> GunJSON {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/javascript", withExtension: "json"))
        return try GunJSONReader.read(Array(Data(contentsOf: url)))
    }

    @Test("numbers have the shortest text that reads back, in JavaScript's layout")
    func numbers() throws {
        guard case .array(let numbers)? = try self.vectors()["numbers"] else {
            Issue.record("no vectors")
            return
        }
        #expect(numbers.count > 150)
        for case .array(let pair) in numbers {
            let bits = try #require(UInt64(pair[0].text?.string ?? "", radix: 16))
            let number = Double(bitPattern: bits)
            #expect(GunJSONWriter.number(number) == pair[1].text?.string)
            // -0 is written 0.
            #expect(try GunJSONReader.read(Array(GunJSONWriter.number(number).utf8)) == .number(number))
        }
    }

    @Test("members are sorted as an object is walked, by UTF-16, and the hash is of that text")
    func objects() throws {
        guard case .array(let objects)? = try self.vectors()["objects"] else {
            Issue.record("no vectors")
            return
        }
        for case .array(let row) in objects {
            let json = try GunJSONReader.read(Array((row[0].text?.string ?? "").utf8))
            let text = try #require(row[1].text)
            #expect(ExactText(GunJSONWriter.string(json)) == text)
            #expect(.number(Double(GunHash.hash(json))) == row[2])
        }
        #expect(GunHash.hash("hello") == 99_162_322)
    }

    @Test("text that Swift finds equal and JavaScript does not stays apart")
    func composition() {
        let composed: ExactText = "\u{E9}"
        let decomposed: ExactText = "e\u{301}"
        #expect(composed.string == decomposed.string)
        #expect(composed != decomposed)
        #expect(decomposed < composed)
    }

    @Test(
        "what is not JSON is refused",
        arguments: [
            "", " ", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "[1,]", "[1 2]", "{a:1}", "'a'", "nul", "nulll", "tru", "01", "-",
            "1.", ".5", "1e", "1e+", "+1", "0x1", "NaN", "Infinity", "-Infinity", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
            "\"\\udc00\"", "\"\u{1}\"", "\"a\nb\"", "1 2", "{}}", "\u{FEFF}{}",
        ])
    func malformed(_ text: String) {
        #expect(throws: GunJSONError.self) { try GunJSONReader.read(Array(text.utf8)) }
    }

    @Test("bytes that are not UTF-8 are refused")
    func notUTF8() {
        #expect(throws: GunJSONError.self) { try GunJSONReader.read([0x22, 0xFF, 0x22]) }
        #expect(throws: GunJSONError.self) { try GunJSONReader.read([0x22, 0xC0, 0x80, 0x22]) }
        #expect(throws: GunJSONError.self) { try GunJSONReader.read([0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    @Test("a number beyond the range is infinite, as in JavaScript")
    func infinite() throws {
        #expect(try GunJSONReader.read(Array("1e999".utf8)) == .number(.infinity))
        #expect(try GunJSONReader.read(Array("-1e999".utf8)) == .number(-.infinity))
        #expect(GunValue(.number(.infinity)) == nil)
    }

    @Test("depth, number of values and lengths are limited")
    func limits() {
        let limits = GunJSONLimits(depth: 3, valueCount: 5, stringByteCount: 4, nameByteCount: 2)
        func error(_ text: String) -> GunJSONError? {
            do throws(GunJSONError) {
                _ = try GunJSONReader.read(Array(text.utf8), limits: limits)
                return nil
            } catch { return error }
        }
        #expect(error("[[[1]]]") == nil)
        #expect(error("[[[[1]]]]") == .tooDeep)
        #expect(error("{\"a\":{\"a\":{\"a\":{}}}}") == .tooDeep)
        #expect(error("[1,2,3,4]") == nil)
        #expect(error("[1,2,3,4,5]") == .tooManyValues)
        #expect(error("\"abcd\"") == nil)
        #expect(error("\"abcde\"") == .stringTooLong)
        #expect(error("\"\\n\\n\\n\\n\\n\"") == .stringTooLong)
        #expect(error("{\"abc\":1}") == .stringTooLong)
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: GunJSONError.tooDeep) { try GunJSONReader.read(deep) }
    }
}
