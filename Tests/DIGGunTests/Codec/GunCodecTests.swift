import Testing

@testable import DIGGun

@Suite("GUN's messages")
struct GunCodecTests {
    private func decode(_ text: String, limits: GunLimits = .init()) -> [Result<GunMessage, GunCodecError>]? {
        do { return try GunCodec.decode(Array(text.utf8), limits: limits) } catch { return nil }
    }

    private func message(_ text: String) throws -> GunMessage { try #require(self.decode(text)?.first).get() }

    @Test("every recorded message of a relay reads and writes back to the letter")
    func roundTrip() throws {
        var count = 0
        for name in ["put_ack", "get_hit", "hash", "dedup", "ham", "lex", "map", "subscribe", "relay_chain", "dig_registry", "batch", "hello"] {
            for frame in try Fixture(name).frames where !frame.isInput && frame.raw != "[]" {
                let messages = try #require(self.decode(frame.raw))
                let written = try messages.map { GunCodec.encode(try $0.get()) }
                let text = String(decoding: Array(written.joined(separator: Array(",".utf8))), as: UTF8.self)
                #expect((frame.raw.hasPrefix("[") ? "[\(text)]" : text) == frame.raw)
                count += 1
            }
        }
        #expect(count > 150)
    }

    @Test("every strict prefix of a message is refused, and nothing of it is taken")
    func prefixes() {
        let text = ##"[{"#":"dup1","><":"a,b","ok":{"@":9,"/":1},"put":{"d":{"_":{"#":"d",">":{"v":1795255962209.5}},"v":{"#":"x"}}}}]"##
        #expect(self.decode(text) != nil)
        let bytes = Array(text.utf8)
        for count in 0..<bytes.count {
            #expect(throws: GunCodecError.self) { try GunCodec.decode(Array(bytes[..<count])) }
        }
    }

    @Test(
        "a field that can't be spoils its message",
        arguments: [
            ##"{"#":1}"##, ##"{"#":""}"##, ##"{"#":null}"##, ##"{"@":1}"##, ##"{"@":{}}"##, ###"{"##":"1"}"###, ###"{"##":1.5}"###, ###"{"##":2147483648}"###, ##"{"><":1}"##,
            ##"{"%":{}}"##, ##"{"ok":"yes"}"##, ##"{"ok":[1]}"##, ##"{"err":{}}"##, ##"{"dam":1}"##, ##"{"pid":[]}"##, ##"{"put":1}"##, ##"{"put":[]}"##,
            ##"{"put":{"s":null}}"##, ##"{"put":{"s":{"v":1}}}"##, ##"{"put":{"s":{"_":{"#":"t",">":{"v":1}},"v":1}}}"##, ##"{"put":{"s":{"_":{"#":"s"},"v":1}}}"##,
            ##"{"put":{"":{"_":{"#":"",">":{"v":1}},"v":1}}}"##, ##"{"put":{"__proto__":{"_":{"#":"__proto__",">":{"v":1}},"v":1}}}"##, ##"{"get":1}"##,
            ##"{"get":{}}"##, ##"{"get":{"#":1}}"##, ##"{"get":{"#":{}}}"##, ##"{"get":{"#":"a",".":1}}"##, ##"{"get":{"#":"a",".":{}}}"##,
            ##"{"get":{"#":"a",".":{"*":1}}}"##, ##"{"get":{"#":"a","%":-1}}"##, ##"{"get":{"#":"a","%":1e999}}"##, ##"{"get":{"#":"a","-":"x"}}"##, "1", "null",
        ])
    func malformed(_ text: String) throws {
        let one = self.decode(text)
        if let one {
            #expect(throws: GunCodecError.self) { try #require(one.first).get() }
        }
        // A neighbour in the same batch does not suffer.
        let batch = try #require(self.decode("[\(text),{\"#\":\"good\"}]"))
        #expect(batch.count == 2)
        #expect(try batch[1].get().id == "good")
    }

    @Test(
        "an entry that can't be is left out",
        arguments: [
            ("[1]", "1"), (##"{"a":1}"##, "1"), (##"{"#":"x","y":1}"##, "1"), (##"{"#":1}"##, "1"), ("1e999", "1"), ("1", "1e999"), ("1", "-1e999"), ("1", "\"1\""),
            ("1", "null"), ("1", "{}"),
        ])
    func entries(_ value: String, _ state: String) throws {
        let message = try self.message(##"{"#":"i","put":{"s":{"_":{"#":"s",">":{"good":1,"bad":\##(state)}},"good":1,"bad":\##(value)}}}"##)
        #expect(message.put == [GunNode("s", ["good": GunEntry(.number(1), state: 1)])])
        #expect(message.malformedEntryCount == 1)
    }

    @Test("lengths and numbers are limited")
    func limits() {
        let long = String(repeating: "x", count: 600)
        #expect(throws: GunCodecError.self) { try self.decode("{\"#\":\"\(long)\"}")?.first?.get() }
        #expect(throws: GunCodecError.self) { try self.decode("{\"get\":{\"#\":\"\(long)\"}}")?.first?.get() }
        let nodes = (0..<1_025).map { "\"s\($0)\":{\"_\":{\"#\":\"s\($0)\",\">\":{\"v\":1}},\"v\":1}" }.joined(separator: ",")
        #expect(throws: GunCodecError.self) { try self.decode("{\"put\":{\(nodes)}}")?.first?.get() }
        #expect(throws: GunCodecError.tooManyMessages) { try GunCodec.decode(Array("[\(Array(repeating: "{}", count: 513).joined(separator: ","))]".utf8)) }
        let value = String(repeating: "x", count: 70_000)
        #expect(throws: GunCodecError.self) {
            try GunCodec.decode(Array("{\"put\":{\"s\":{\"_\":{\"#\":\"s\",\">\":{\"v\":1}},\"v\":\"\(value)\"}}}".utf8))
        }
    }

    @Test("the first message of a turn goes alone, the others in arrays of at most 9,000 characters")
    func batches() {
        #expect(GunBatch.texts(of: []).isEmpty)
        let small = (0..<4).map { Array("{\"#\":\"\($0)\"}".utf8) }
        #expect(GunBatch.texts(of: small).map { String(decoding: $0, as: UTF8.self) } == [##"{"#":"0"}"##, ##"[{"#":"1"},{"#":"2"},{"#":"3"}]"##])
        let big = (0..<10).map { _ in [UInt8](repeating: UInt8(ascii: "1"), count: 4_000) }
        let texts = GunBatch.texts(of: big)
        #expect(texts.map(\.count) == [4_000, 8_003, 8_003, 8_003, 8_003, 4_002])
    }
}
