@testable import DIGPortMapping
import Testing

@Suite("XML of gateways")
struct XMLScannerTests {
    func parse(_ text: String) throws(XMLError) -> XMLElement { try XMLScanner.parse(Array(text.utf8)) }

    static let document = """
        \u{feff}<?xml version="1.0" encoding="utf-8"?>
        <!-- a comment with <tags> -->
        <s:root xmlns:s="urn:x" a='1 > 0'>
          <s:name> A &amp; B&#33; &#x41;<![CDATA[<raw>]]> </s:name>
          <empty/><empty b="c" />
        </s:root>
        """

    @Test("elements, text, references, CDATA, comments")
    func reads() throws {
        let root = try self.parse(Self.document)
        #expect(root.name == "root")
        #expect(root["name"]?.text == "A & B! A<raw>")
        #expect(root.children.map(\.name) == ["name", "empty", "empty"])
        #expect(root["missing"] == nil)
    }

    @Test("no strict prefix is a document")
    func prefixes() {
        let bytes = Array(Self.document.utf8)
        for count in 0..<bytes.count { #expect(throws: XMLError.self) { try XMLScanner.parse(Array(bytes.prefix(count))) } }
    }

    @Test("declarations and entities are refused", arguments: [
        ("<!DOCTYPE a><a/>", XMLError.declaration), ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", .declaration), ("<a><!ELEMENT b></a>", .declaration),
        ("<a>&b;</a>", .entity), ("<a>&#0;</a>", .entity), ("<a>&#xd800;</a>", .entity), ("<a>&#x110000;</a>", .entity), ("<a>&aaaaaaaaaaaaaaaaa;</a>", .entity),
        ("<a>&#99999999999;</a>", .entity), ("<a></b>", .malformed), ("</a>", .malformed), ("a<a/>", .malformed), ("<a b></a>", .malformed), ("<a b=c/>", .malformed),
        ("<a b='<'/>", .malformed), ("< a/>", .malformed), ("<![CDATA[a]]><a/>", .malformed),
    ])
    func refuses(text: String, error: XMLError) {
        #expect(throws: error) { try self.parse(text) }
    }

    @Test("depth, number, size are limited")
    func limits() throws {
        func nested(_ depth: Int) -> String { String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth) }
        _ = try self.parse(nested(XMLScanner.maximumDepth))
        #expect(throws: XMLError.tooDeep) { try self.parse(nested(XMLScanner.maximumDepth + 1)) }
        #expect(throws: XMLError.tooDeep) { try self.parse(String(repeating: "<a>", count: 40_000)) }
        func many(_ count: Int) -> String { "<a>" + String(repeating: "<b/>", count: count) + "</a>" }
        _ = try self.parse(many(XMLScanner.maximumElementCount - 1))
        #expect(throws: XMLError.tooManyElements) { try self.parse(many(XMLScanner.maximumElementCount)) }
        func text(_ count: Int) -> String { "<a>" + String(repeating: "b", count: count) + "</a>" }
        _ = try self.parse(text(XMLScanner.maximumTextByteCount))
        #expect(throws: XMLError.tooLongText) { try self.parse(text(XMLScanner.maximumTextByteCount + 1)) }
        #expect(throws: XMLError.tooLongName) { try self.parse("<" + String(repeating: "a", count: 129) + "/>") }
        #expect(throws: XMLError.tooLarge) { try self.parse("<a>" + String(repeating: " ", count: XMLScanner.maximumByteCount) + "</a>") }
    }

    @Test("changed bytes never trap")
    func mutations() {
        let original = Array(Self.document.utf8)
        for index in original.indices {
            for byte: UInt8 in [0, 0x21, 0x26, 0x2f, 0x3c, 0x3e, 0x5b, 0xff] {
                var bytes = original
                bytes[index] = byte
                _ = try? XMLScanner.parse(bytes)
            }
        }
    }
}
