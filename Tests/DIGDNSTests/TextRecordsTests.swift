import DIGTestSupport
import Testing

@testable import DIGDNS

@Suite("TXT records of a message")
struct TextRecordsTests {
    let query = Wire.query("_dnsaddr.example.org")

    private func texts(_ message: [UInt8], limit: Int = 256) throws -> [String] {
        try TextRecords.texts(in: message, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test("are found among others, and their parts joined")
    func found() throws {
        let long = String(repeating: "0123456789", count: 60)
        let message = Wire.answer(
            to: self.query, records: [Wire.record(type: 5, data: Wire.name("other.example")), Wire.record("a=b"), Wire.record(long), Wire.record(type: 1, data: [1, 2, 3, 4]), Wire.record("")])
        #expect(try self.texts(message) == ["a=b", long, ""])
        #expect(try self.texts(message, limit: 1) == ["a=b"])
        #expect(try self.texts(message, limit: 0).isEmpty)
        #expect(try self.texts(Wire.answer(to: self.query, records: [])).isEmpty)
    }

    @Test("no strict prefix of a message is one")
    func prefixes() throws {
        let message = Wire.answer(to: self.query, records: [Wire.record("first"), Wire.record("second")])
        for count in 0..<message.count {
            #expect(throws: DNSError(.malformed, "")) { try TextRecords.texts(in: Array(message.prefix(count)), limit: 10) }
        }
    }

    @Test("whose parts don't fill them are left out")
    func parts() throws {
        for data: [UInt8] in [[1], [5, 1, 2, 3, 4], [0, 3, 1, 2], [255] + [UInt8](repeating: 1, count: 254)] {
            #expect(try self.texts(Wire.answer(to: self.query, records: [Wire.record(data: data), Wire.record("good")])) == ["good"])
        }
        #expect(try self.texts(Wire.answer(to: self.query, records: [Wire.record(data: [])])) == [""])
        #expect(try self.texts(Wire.answer(to: self.query, records: [Wire.record(data: [0, 1, 65, 0])])) == ["A"])
    }

    @Test("a length or name that leads out of the message, or in circles, makes it malformed")
    func hostile() throws {
        let good = Wire.record("good")
        var tooLong = good
        tooLong[11] = 200
        var endless = good
        (endless[0], endless[1]) = (0xc0, UInt8(self.query.count))
        var outside = good
        (outside[0], outside[1]) = (0xff, 0xff)
        for record in [tooLong, endless, outside, [0x80] + good.dropFirst()] {
            let message = Wire.answer(to: self.query, records: [record])
            #expect(throws: DNSError(.malformed, "")) { try TextRecords.texts(in: message, limit: 10) }
        }
        // More records counted than there are.
        var message = Wire.answer(to: self.query, records: [good])
        message[6] = 0xff
        #expect(throws: DNSError(.malformed, "")) { try TextRecords.texts(in: message, limit: 10) }
    }

    @Test("any bytes are read or refused")
    func anyBytes() throws {
        var generator = SeededGenerator(seed: 3)
        let message = Wire.answer(to: self.query, records: [Wire.record("first"), Wire.record(type: 5, data: Wire.name("x.example")), Wire.record("second")])
        for round in 0..<20_000 {
            var bytes = message
            if round.isMultiple(of: 4) {
                bytes = (0..<Int.random(in: 0...600, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
                // Otherwise the counts make nearly all of them too short.
                if bytes.count > 12 { bytes.replaceSubrange(4..<12, with: [0, 0, 0, 3, 0, 0, 0, 0]) }
            } else {
                for _ in 0...Int.random(in: 0...4, using: &generator) {
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            do throws(DNSError) {
                #expect(try TextRecords.texts(in: bytes, limit: 8).count <= 8)
            } catch {
                #expect(error.code == .malformed)
            }
        }
    }
}
