import DIGCommandLine
import Foundation
import Testing

@Suite("JSON output")
struct JSONTests {
    @Test("keeps the order of members and writes every kind of value")
    func kinds() {
        let object: JSONObject = [
            "z": "text", "a": 1, "big": .unsigned(.max), "small": .integer(.min), "half": .number(0.5), "nan": .number(.nan), "yes": true,
            "none": .null, "list": [1, "two", []], "object": .object(["x": false]),
        ]
        #expect(
            object.text
                == #"{"z":"text","a":1,"big":18446744073709551615,"small":-9223372036854775808,"half":0.5,"nan":null,"yes":true,"none":null,"list":[1,"two",[]],"object":{"x":false}}"#
        )
    }

    @Test("escapes quotes, line ends and everything that steers a terminal; Foundation reads it back")
    func escapes() throws {
        let text = "a\"\\\n\r\t\u{0}\u{1B}[2J\u{7F}\u{9B}\u{202E}\u{2028}é漢👩‍👩‍👧\u{10FFFF}"
        let json = (["name": .string(text)] as JSONObject).text
        #expect(json == #"{"name":"a\"\\\n\r\t\u0000\u001b[2J\u007f\u009b\u202e\u2028é漢👩‍👩‍👧\udbff\udfff"}"#)
        let decoded = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
        #expect(decoded["name"] == text)
    }

    @Test("setting a member replaces it where it stands, appends it, or takes it away")
    func members() {
        var object: JSONObject = ["a": 1, "b": 2]
        object["a"] = 3
        object["c"] = "x"
        object["b"] = nil
        object["d"] = nil
        #expect(object.text == #"{"a":3,"c":"x"}"#)
    }
}
