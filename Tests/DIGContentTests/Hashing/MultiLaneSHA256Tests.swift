import CDIGSHA256
import Crypto
import DIGContent
import DIGTestSupport
import Testing

@Suite("Multi-lane SHA-256")
struct MultiLaneSHA256Tests {
    static let paths = (0..<UInt32(DIG_SHA256_PATH_COUNT)).map { dig_sha256_path($0) }.filter { dig_sha256_is_available($0) }

    /// Messages of one length, each at its own alignment.
    private func hash(_ messages: [[UInt8]], on path: dig_sha256_path) -> [[UInt8]] {
        let length = messages.first?.count ?? 0
        let storage = UnsafeMutablePointer<UInt8>.allocate(capacity: messages.count * (length + 7) + 1)
        defer { storage.deallocate() }
        var pointers: [UnsafePointer<UInt8>?] = []
        for (index, message) in messages.enumerated() {
            let place = storage + index * (length + 7)
            for (offset, byte) in message.enumerated() { place[offset] = byte }
            pointers.append(UnsafePointer(place))
        }
        var digests = [UInt8](repeating: 0, count: messages.count * 32)
        #expect(dig_sha256_blocks_on(path, pointers, messages.count, length, &digests))
        return stride(from: 0, to: digests.count, by: 32).map { Array(digests[$0..<$0 + 32]) }
    }

    @Test("FIPS 180-4 examples and NIST CAVP short messages, on every path", arguments: MultiLaneSHA256Tests.paths.map(\.rawValue))
    func vectors(path: UInt32) {
        let vectors: [(String, String)] = [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ]
        for (message, expected) in vectors {
            for count in [1, 2, 8, 16] {
                let digests = self.hash(Array(repeating: Array(message.utf8), count: count), on: dig_sha256_path(path))
                #expect(digests.allSatisfy { SHA256Digest(bytes: $0)?.hex == expected })
            }
        }
    }

    @Test("a million times the letter a (FIPS 180-4)", arguments: MultiLaneSHA256Tests.paths.map(\.rawValue))
    func million(path: UInt32) {
        let message = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        let digests = message.withUnsafeBufferPointer { message in
            let pointers = [UnsafePointer<UInt8>?](repeating: message.baseAddress, count: 3)
            var digests = [UInt8](repeating: 0, count: 96)
            #expect(dig_sha256_blocks_on(dig_sha256_path(path), pointers, 3, message.count, &digests))
            return digests
        }
        for lane in 0..<3 {
            #expect(
                SHA256Digest(bytes: digests[lane * 32..<lane * 32 + 32])?.hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
        }
    }

    @Test("every path agrees with swift-crypto for every length around the padding and every count of messages", arguments: MultiLaneSHA256Tests.paths.map(\.rawValue))
    func agreement(path: UInt32) {
        var random = SeededGenerator(seed: UInt64(path) + 1)
        for length in Array(0...4) + Array(54...66) + [118, 119, 120, 127, 128, 129, 1000] {
            for count in [1, 3, 17, 35] {
                let messages = (0..<count).map { _ in (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) } }
                #expect(self.hash(messages, on: dig_sha256_path(path)) == messages.map { Array(SHA256.hash(data: $0)) }, "length \(length), count \(count)")
            }
        }
        for count in 0...40 {
            let messages = (0..<count).map { _ in (0..<65).map { _ in UInt8.random(in: 0...255, using: &random) } }
            #expect(self.hash(messages, on: dig_sha256_path(path)) == messages.map { Array(SHA256.hash(data: $0)) }, "count \(count)")
        }
        let blocks = (0..<18).map { lane in [UInt8](repeating: UInt8(lane), count: 16384) }
        #expect(self.hash(blocks, on: dig_sha256_path(path)) == blocks.map { Array(SHA256.hash(data: $0)) })
    }

    @Test("pairs of nodes are folded in place", arguments: MultiLaneSHA256Tests.paths.map(\.rawValue))
    func pairsInPlace(path: UInt32) {
        var random = SeededGenerator(seed: 99)
        for count in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 33, 100] {
            var nodes = (0..<count * 64).map { _ in UInt8.random(in: 0...255, using: &random) }
            let expected = stride(from: 0, to: nodes.count, by: 64).flatMap { Array(SHA256.hash(data: nodes[$0..<$0 + 64])) }
            nodes.withUnsafeMutableBufferPointer { nodes in
                #expect(dig_sha256_pairs_on(dig_sha256_path(path), nodes.baseAddress, count, nodes.baseAddress))
            }
            #expect(Array(nodes.prefix(count * 32)) == expected)
        }
    }

    @Test("a path that this processor lacks writes nothing and says so")
    func unavailable() {
        for path in (0..<UInt32(DIG_SHA256_PATH_COUNT) + 3).map({ dig_sha256_path($0) }) where !dig_sha256_is_available(path) {
            var digest = [UInt8](repeating: 7, count: 32)
            #expect(!dig_sha256_pairs_on(path, [UInt8](repeating: 0, count: 64), 1, &digest))
            #expect(digest == [UInt8](repeating: 7, count: 32))
        }
        #expect(dig_sha256_is_available(DIG_SHA256_PORTABLE) && dig_sha256_is_available(DIG_SHA256_AUTOMATIC))
        #expect(dig_sha256_is_available(dig_sha256_preferred_path()))
        #expect(!BlockHasher.implementationName.isEmpty)
    }

    @Test("blocks of unequal length are refused")
    func unequal() throws {
        let bytes = TestContent.bytes(300)
        try bytes.withUnsafeBytes { (bytes) throws in
            let equal = [UnsafeRawBufferPointer(rebasing: bytes[0..<100]), UnsafeRawBufferPointer(rebasing: bytes[100..<200])]
            #expect(try BlockHasher.hash(equal) == equal.map { SHA256Digest(hashing: $0) })
            #expect(throws: ContentError(.geometryMismatch, "")) {
                try BlockHasher.hash([equal[0], UnsafeRawBufferPointer(rebasing: bytes[0..<99])])
            }
            #expect(try BlockHasher.hash([]) == [])
            #expect(try BlockHasher.hash([UnsafeRawBufferPointer(start: nil, count: 0)]) == [TestContent.sha256([UInt8]())])
        }
    }
}
