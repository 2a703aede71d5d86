import DIGAnnouncement
import DIGContent
import DIGIdentity
import Foundation
import Testing

@testable import DIGAvailability

@Suite("Signed records in the seed's form")
struct SignedDataTests {
    struct Fixtures: Decodable {
        struct Entry: Decodable {
            var author: String
            var json: String
            var signed: String
        }
        var timestamp: UInt64
        var hash: String
        var other: String
        var records: [Entry]
    }

    let fixtures: Fixtures
    let identity: KeyPair

    init() throws {
        self.fixtures = try JSONCoder.decode(Fixtures.self, Data(contentsOf: Scene.fixtures.appendingPathComponent("records.json")))
        self.identity = try KeyPair(secp256k1PrivateKey: [UInt8](repeating: 9, count: 32))
    }

    private func refusal(_ json: String, now: UInt64 = Scene.now, names: RecordNames = .init()) -> AvailabilityError? {
        do {
            let data = try SignedData(json: Array(json.utf8))
            if data.isReport { _ = try data.report(names: names, nowMilliseconds: now) } else { _ = try data.announcement(names: names, nowMilliseconds: now) }
            return nil
        } catch { return error }
    }

    @Test("records that JavaScript made are understood byte for byte")
    func javaScript() throws {
        #expect(self.fixtures.records.count == 36)
        for entry in self.fixtures.records {
            let data = try SignedData(json: Array(entry.json.utf8))
            #expect(String(decoding: data.signedBytes, as: UTF8.self) == entry.signed)
            #expect(verifySignedData(data, try CryptoIdentity(publicKey: data.publicKey, algorithm: data.algorithm)))
            let author: PeerID
            if data.isReport {
                let report = try data.report(nowMilliseconds: self.fixtures.timestamp)
                author = report.reporter
                #expect(report.reported.description == self.fixtures.other)
                #expect(report.reason == .notFound && report.detail == nil && report.timestampMilliseconds == self.fixtures.timestamp)
                #expect(try report.content == ContentHash(parsing: self.fixtures.hash))
            } else {
                let announcement = try data.announcement(nowMilliseconds: self.fixtures.timestamp)
                author = announcement.peer
                #expect(try announcement.key == RendezvousKey(ContentHash(parsing: self.fixtures.hash)))
                #expect(announcement.port == (announcement.isAvailable ? 8_080 : nil))
                #expect(announcement.contentID == (announcement.isAvailable ? "my \"video\"\n\u{1} ü/𝄞" : nil))
            }
            #expect(author.description == entry.author)
            // Written again it is the same record.
            #expect(try SignedData(json: data.json) == data)
        }
    }

    @Test("what is signed here has the seed's fields in the seed's order", arguments: [KeyAlgorithm.secp256k1, .ed25519, .rsa])
    func signing(algorithm: KeyAlgorithm) throws {
        let identity = algorithm == .secp256k1 ? self.identity : try KeyPair.generate(algorithm, rsaKeySize: 2_048)
        let peer = identity.peerID.description
        let data = try SignedData.announcement(of: Scene.content(1), port: 8_080, contentID: "my-video", isAvailable: true, timestampMilliseconds: Scene.now, with: identity)
        let extra = algorithm == .secp256k1 ? "" : "\"algorithm\":\"\(algorithm.rawValue)\","
        #expect(
            String(decoding: data.signedBytes, as: UTF8.self)
                == "{\"hash\":\"\(Scene.content(1))\",\"port\":8080,\"contentId\":\"my-video\",\"available\":true,\"peerId\":\"\(peer)\",\(extra)\"timestamp\":\(Scene.now)}")
        let read = try SignedData(json: data.json)
        #expect(read == data)
        let announcement = try read.announcement(nowMilliseconds: Scene.now)
        #expect(announcement.peer == identity.peerID && announcement.isAvailable && announcement.contentID == "my-video" && announcement.port == 8_080)
        let report = AvailabilityReport(reporter: identity.peerID, reported: Scene.peer(1), content: Scene.content(1), reason: .corruptData, timestampMilliseconds: Scene.now)
        let reportData = try SignedData.report(report, with: identity)
        #expect(
            String(decoding: reportData.signedBytes, as: UTF8.self)
                == "{\"reporterId\":\"\(peer)\",\"reportedPeerId\":\"\(Scene.peer(1))\",\"contentHash\":\"\(Scene.content(1))\",\"reason\":\"Content corrupt\",\(extra)\"timestamp\":\(Scene.now)}")
        #expect(try SignedData(json: reportData.json).report(nowMilliseconds: Scene.now) == report)
        if algorithm != .rsa { #expect(data.signature.utf8.count == 128) }
        #expect(!verifySignedData(data, CryptoIdentity(keyPair: try KeyPair.generate())))
        #expect(throws: AvailabilityError.unsupportedAlgorithm) {
            _ = try SignedData.announcement(of: Scene.content(1), port: nil, contentID: nil, isAvailable: true, timestampMilliseconds: Scene.now, with: KeyPair.generate(.ecdsa))
        }
    }

    @Test("what is signed here is right for another implementation")
    func otherImplementation() throws {
        guard let node = Self.node else { return print("not checked by another implementation: there is no Node.js") }
        var lines = ""
        for algorithm in [KeyAlgorithm.ed25519, .secp256k1, .rsa] {
            for _ in 0..<5 {
                let identity = try KeyPair.generate(algorithm, rsaKeySize: 2_048)
                let data = try SignedData.announcement(of: Scene.content(1), port: 1, contentID: "\"ü\n𝄞\u{1}", isAvailable: true, timestampMilliseconds: Scene.now, with: identity)
                let report = Scene.report(by: identity.peerID, Scene.peer(1), Scene.content(1), at: Scene.now)
                for record in [data, try SignedData.report(report, with: identity)] { lines += String(decoding: record.json, as: UTF8.self) + "\n" }
            }
        }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("dig-records-\(UUID().uuidString)")
        try Data(lines.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = node
        process.arguments = [Scene.fixtures.appendingPathComponent("check-records.mjs").path, file.path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && text == "30 of 30\n", "\(text)")
    }

    static let node: URL? = ["/usr/bin/node", "/usr/local/bin/node"].first { FileManager.default.isExecutableFile(atPath: $0) }.map { URL(fileURLWithPath: $0) }

    @Test("every record that is not right is refused with its reason")
    func refusals() throws {
        let data = try SignedData.announcement(of: Scene.content(1), port: 1, contentID: "n", isAvailable: true, timestampMilliseconds: Scene.now, with: self.identity)
        let json = String(decoding: data.json, as: UTF8.self)
        #expect(self.refusal(json) == nil)
        for count in 0..<json.utf8.count { #expect(self.refusal(String(decoding: data.json.prefix(count), as: UTF8.self)) == .malformed, "\(count)") }
        func with(_ old: String, _ new: String) -> AvailabilityError? {
            #expect(json.contains(old))
            return self.refusal(json.replacingOccurrences(of: old, with: new))
        }
        #expect(with("\"port\":1", "\"port\":2") == .invalidSignature)
        #expect(with("\"port\":1", "\"port\":65536") == .malformed)
        #expect(with("\"port\":1", "\"port\":\"1\"") == .malformed)
        #expect(with("\"port\":1", "\"port\":1.0") == .malformed)
        #expect(with("\"available\":true", "\"available\":false") == .invalidSignature)
        #expect(with("\"available\":true", "\"available\":1") == .malformed)
        #expect(with("\"contentId\":\"n\"", "\"contentId\":\"\(String(repeating: "n", count: 257))\"") == .limitExceeded)
        #expect(with("\"hash\":\"\(Scene.content(1))\"", "\"hash\":\"\(Scene.content(2))\"") == .invalidSignature)
        #expect(with("\"hash\":\"\(Scene.content(1))\"", "\"hash\":\"nonsense\"") == .malformed)
        #expect(with("\"hash\":\"\(Scene.content(1))\"", "\"hash\":\"\(Scene.digest("x").hex)\"") == .unknownContent)
        #expect(with("\"timestamp\":\(Scene.now)", "\"timestamp\":\(Scene.now + 1)") == .invalidSignature)
        #expect(with("\"peerId\"", "\"algorithm\":\"ed25519\",\"peerId\"") == .unsupportedAlgorithm)
        #expect(with("\"peerId\"", "\"algorithm\":\"dsa\",\"peerId\"") == .unsupportedAlgorithm)
        #expect(with("\"peerId\"", "\"algorithm\":1,\"peerId\"") == .malformed)
        #expect(with("\"peerId\":", "\"peerId\":\"x\",\"peerId\":") == .malformed)
        #expect(with("\"port\"", "\"1\":1,\"port\"") == .malformed)
        #expect(with("\"signature\":\"", "\"signature\":\"0") == .invalidSignature)
        // Another's key, and another's name.
        let other = try KeyPair.generate(.secp256k1)
        let key = CryptoIdentity(keyPair: self.identity).publicKeyText
        #expect(with(key, CryptoIdentity(keyPair: other).publicKeyText) == .invalidSignature)
        #expect(with("\"publicKey\":\"\(key)\"", "\"publicKey\":\"00\"") == .unsupportedAlgorithm)
        let named = try SignedData(
            signing: [.init(key: "hash", value: .string(Scene.content(1).description)), .init(key: "available", value: .bool(true)), .init(key: "peerId", value: .string(other.peerID.description))],
            timestampMilliseconds: Scene.now, with: self.identity)
        #expect(self.refusal(String(decoding: named.json, as: UTF8.self)) == .wrongPeer)
        // Time.
        #expect(self.refusal(json, now: Scene.now - 120_001) == .fromTheFuture)
        #expect(self.refusal(json, now: Scene.now - 120_000) == nil)
        #expect(self.refusal(json, now: Scene.now + Scene.hour) == .expired)
        // Bounds.
        #expect(self.refusal(json + String(repeating: " ", count: SignedData.maximumByteCount)) == .limitExceeded)
        #expect(self.refusal(json + " ") == nil)
        #expect(self.refusal(json + "x") == .malformed)
        #expect(self.refusal(json, names: RecordNames()) == nil)
    }

    @Test("the author may be named by peer id, node id or Ethereum address")
    func names() throws {
        let key = self.identity.publicKey
        let written = CryptoIdentity(keyPair: self.identity).publicKeyText
        for text in [key.peerID.description, key.peerID.cid, key.nodeID.description, String(key.nodeID.description.prefix(40)), try #require(key.ethereumAddress)] {
            #expect(RecordNames.names(text, key, writtenAs: written), "\(text)")
        }
        for text in ["", "x", String(key.nodeID.description.prefix(39)), Scene.peer(0).description] { #expect(!RecordNames.names(text, key, writtenAs: written), "\(text)") }
    }

    @Test("the reported peer and a plain SHA-256 are looked up")
    func lookingUp() throws {
        let node = "node-17"
        let sha256 = Scene.digest("file")
        let data = try SignedData(
            signing: [
                .init(key: "reporterId", value: .string(self.identity.nodeID.description)), .init(key: "reportedPeerId", value: .string(node)),
                .init(key: "contentHash", value: .string(sha256.hex)),
            ], timestampMilliseconds: Scene.now, with: self.identity)
        let json = String(decoding: data.json, as: UTF8.self)
        #expect(self.refusal(json) == .unknownPeer)
        let peer: @Sendable (String) -> PeerID? = { $0 == node ? Scene.peer(4) : nil }
        #expect(self.refusal(json, names: RecordNames(peer: peer)) == .unknownContent)
        let report = try data.report(names: RecordNames(peer: peer, content: { $0 == sha256 ? Scene.content(4) : nil }), nowMilliseconds: Scene.now)
        #expect(report.reported == Scene.peer(4) && report.content == Scene.content(4) && report.reason == .notFound)
    }

    @Test("JSON is read strictly and written as JavaScript writes it")
    func json() {
        for text in [
            "", "[]", "1", "{\"a\":01}", "{\"a\":1e2}", "{\"a\":-0}", "{\"a\":9007199254740992}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}", "{\"a\":\"\u{1}\"}", "{\"a\":1,}", "{\"a\" 1}", "{a:1}",
            "{\"__proto__\":1}", "{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}", "{\"a\":nul}", "{\"a\":--1}", "{\"a\":}", "{\"a\":\"\\x\"}",
        ] { #expect(SeedJSON(parsing: Array(text.utf8)) == nil, "\(text)") }
        #expect(SeedJSON(parsing: Array("{\"a\":\"".utf8) + [0xFF] + Array("\"}".utf8)) == nil)
        for (text, written) in [
            ("{ \"b\" : 1 , \"a\" : null }", "{\"b\":1,\"a\":null}"), ("{\"a\":\"\\u00fc\\/\\ud834\\udd1e\\u0001\\u007f\"}", "{\"a\":\"ü/𝄞\\u0001\u{7F}\"}"),
            ("{\"a\":-9007199254740991,\"b\":true}", "{\"a\":-9007199254740991,\"b\":true}"), ("{\"a\":{\"b\":{\"c\":{}}}}", "{\"a\":{\"b\":{\"c\":{}}}}"),
            ("{\"a\":\"e\u{301}\\r\\n\"}", "{\"a\":\"e\u{301}\\r\\n\"}"),
        ] { #expect(SeedJSON(parsing: Array(text.utf8)).map { Array($0.text.utf8) } == Array(written.utf8), "\(text)") }
    }

    @Test("an ECDSA signature keeps its numbers in either form")
    func signatureForms() throws {
        for seed: UInt64 in 0..<200 {
            var generator = SplitMix64(seed)
            var compact = (0..<64).map { _ in UInt8.random(in: 0...255, using: &generator) }
            for position in 0..<Int(seed % 5) { compact[position] = 0 }
            let der = try #require(ECDSASignatureForm.der(compact: compact))
            #expect(ECDSASignatureForm.compact(der: der) == compact)
            for count in 0..<der.count { #expect(ECDSASignatureForm.compact(der: Array(der.prefix(count))) == nil) }
        }
        #expect(ECDSASignatureForm.der(compact: []) == nil)
        #expect(ECDSASignatureForm.compact(der: [0x30, 0x06, 0x02, 0x00, 0x02, 0x01, 0x01, 0x00]) == nil)
    }
}
