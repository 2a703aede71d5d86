import Foundation
import Testing

@testable import DIGGun

/// `big.jsonl`: puts of 1,000,000, 20,000,000 and 91,000,000 characters. The recording has the beginning of each frame and its length.
@Suite("Recorded frames of gun.js that are long")
struct BigMessageReplayTests {
    /// gun.js takes less than that (`opt.max`).
    static let gunJSLimit = 90_000_000

    struct Frame {
        var isInput: Bool
        var connection: String
        var time: Double
        var bytes: [UInt8]
    }

    /// The frames as they were on the wire.
    private func frames() throws -> [Frame] {
        try Fixture("big").frames.map { frame in
            guard let cut = frame.raw.range(of: "...(") else {
                return Frame(isInput: frame.isInput, connection: frame.connection, time: frame.time, bytes: Array(frame.raw.utf8))
            }
            let total = try #require(Int(frame.raw[cut.upperBound...].prefix { $0.isNumber }))
            var bytes = Array(frame.raw[..<cut.lowerBound].utf8)
            let end = Array("\"}}}".utf8)
            bytes.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: total - bytes.count - end.count))
            return Frame(isInput: frame.isInput, connection: frame.connection, time: frame.time, bytes: bytes + end)
        }
    }

    /// With what each relay chooses by chance taken out: its ids, and those that it gives to peers.
    private static func withoutIDs(_ bytes: [UInt8]) throws -> [UInt8] {
        // The interesting part is at the beginning.
        var head = String(decoding: bytes.prefix(200), as: UTF8.self)
        head = head.replacingOccurrences(of: "\"><\":\"[^\"]*\"", with: "\"><\":\"\"", options: .regularExpression)
        if head.contains("\"dam\"") { head = head.replacingOccurrences(of: "\"(#|pid)\":\"[^\"]*\"", with: "\"$1\":\"\"", options: .regularExpression) }
        return Array(head.utf8) + bytes.dropFirst(200)
    }

    private func replay(_ configuration: GunMeshConfiguration) throws -> (mesh: GunMesh, sent: [String: [[UInt8]]]) {
        var mesh = GunMesh(configuration: configuration, actsAsStorage: false)
        var links: [String: GunLinkID] = [:]
        var sent: [String: [[UInt8]]] = [:]
        let start = ContinuousClock.now
        for frame in try self.frames() {
            // So that nothing was written in the future.
            let time = GunTime(instant: start + .milliseconds(frame.time), unix: 1_795_255_950_000 + frame.time)
            var actions: [GunMesh.Action] = []
            if links[frame.connection] == nil {
                let (link, greeting) = mesh.connected(to: nil, at: time)
                links[frame.connection] = link
                actions += greeting
            }
            if frame.isInput, let link = links[frame.connection] { actions += mesh.received(frame.bytes, from: link, at: time) }
            for case .send(let bytes, let link) in actions where bytes != Array("[]".utf8) {
                for (name, other) in links where other == link { sent[name, default: []].append(bytes) }
            }
        }
        #expect(mesh.linkCount == 2)
        return (mesh, sent)
    }

    @Test("up to what gun.js takes are passed on as it does, longer ones complained about as it does")
    func answers() throws {
        var configuration = GunMeshConfiguration()
        configuration.acceptMessages(ofUpTo: Self.gunJSLimit - 1)
        let (mesh, sent) = try self.replay(configuration)
        for name in ["A", "B"] {
            let expected = try self.frames().filter { !$0.isInput && $0.connection == name }.map { try Self.withoutIDs($0.bytes) }
            let actual = try (sent[name] ?? []).map(Self.withoutIDs)
            #expect(actual.map(\.count) == expected.map(\.count))
            #expect((actual == expected) == true)
        }
        #expect(mesh.statistics.oversizeCount == 1 && mesh.graph.nodeCount == 2)
        #expect(mesh.graph.byteCount > 21_000_000 && mesh.graph.byteCount < configuration.graph.byteCount)
    }

    @Test("are all too long for a node that is not told to take such, which says so in gun.js's words and keeps the connection")
    func byDefault() throws {
        let (mesh, sent) = try self.replay(.init())
        #expect(mesh.statistics.oversizeCount == 3 && mesh.graph.nodeCount == 0)
        let complaints = try (sent["A"] ?? []).dropFirst().map { String(decoding: try Self.withoutIDs($0), as: UTF8.self) }
        #expect(complaints == Array(repeating: ##"{"#":"","dam":"!","err":"Message too big!"}"##, count: 3))
    }

    @Test("fill no more memory than the graph may have, however many come")
    func bounded() throws {
        var configuration = GunMeshConfiguration()
        configuration.acceptMessages(ofUpTo: 200_000)
        configuration.acceptMessages(ofUpTo: 100_000)
        #expect(configuration.limits.messageByteCount == 256 * 1024 && configuration.limits.valueByteCount == 200_000)
        configuration.graph.byteCount = 1_000_000
        var mesh = GunMesh(configuration: configuration, actsAsStorage: false)
        let start = ContinuousClock.now
        let (link, _) = mesh.connected(to: nil, at: GunTime(instant: start, unix: 1_795_255_950_000))
        let value = String(repeating: "x", count: 190_000)
        for number in 0..<30 {
            let text = "{\"#\":\"n\(number)\",\"put\":{\"s\(number)\":{\"_\":{\"#\":\"s\(number)\",\">\":{\"v\":1}},\"v\":\"\(value)\"}}}"
            _ = mesh.received(Array(text.utf8), from: link, at: GunTime(instant: start + .seconds(number), unix: 1_795_255_950_000))
            #expect(mesh.graph.byteCount <= 1_000_000)
        }
        #expect(mesh.graph.nodeCount >= 3 && mesh.statistics.oversizeCount == 0)
    }
}
