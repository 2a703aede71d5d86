import Foundation
import Testing

@testable import DIGGun

/// `big.jsonl`: puts of values of 1,000,000, 20,000,000 and 91,000,000 characters. The recording has the beginning of each frame and its length.
///
/// Values, and what gun.js takes, are a twentieth of that every day: unoptimized it is too much to read. `DIG_GUN_SCALE=1` is for a run by hand.
@Suite("Recorded frames of gun.js that are long", .serialized)
struct BigMessageReplayTests {
    static let scale = max(1, ProcessInfo.processInfo.environment["DIG_GUN_SCALE"].flatMap { Int($0) } ?? 20)
    /// gun.js takes less than that (`opt.max`).
    static let gunJSLimit = 90_000_000 / scale

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
            let beginning = frame.raw[..<cut.lowerBound]
            let head = Array(beginning.prefix(through: try #require(beginning.range(of: "\"v\":\"")).upperBound).dropLast().utf8)
            let end = Array("\"}}}".utf8)
            let value = [UInt8](repeating: UInt8(ascii: "x"), count: (total - head.count - end.count) / Self.scale)
            return Frame(isInput: frame.isInput, connection: frame.connection, time: frame.time, bytes: head + value + end)
        }
    }

    /// With what each relay chooses by chance taken out: its ids, and those that it gives to peers. The rest of a long value is only its length and whether
    /// it is what it should be.
    private static func withoutIDs(_ bytes: [UInt8]) -> String {
        var head = String(decoding: bytes.prefix(200), as: UTF8.self)
        head = head.replacingOccurrences(of: "\"><\":\"[^\"]*\"", with: "\"><\":\"\"", options: .regularExpression)
        if head.contains("\"dam\"") { head = head.replacingOccurrences(of: "\"(#|pid)\":\"[^\"]*\"", with: "\"$1\":\"\"", options: .regularExpression) }
        guard bytes.count > 200 else { return head }
        let value = [UInt8](repeating: UInt8(ascii: "x"), count: bytes.count - 204)
        return "\(head)…\(bytes.count) \(bytes.dropFirst(200).elementsEqual(value + Array("\"}}}".utf8)))"
    }

    private func replay(_ frames: [Frame], _ configuration: GunMeshConfiguration) -> (mesh: GunMesh, sent: [String: [[UInt8]]]) {
        var mesh = GunMesh(configuration: configuration, actsAsStorage: false)
        var links: [String: GunLinkID] = [:]
        var sent: [String: [[UInt8]]] = [:]
        let start = ContinuousClock.now
        for frame in frames {
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
        let frames = try self.frames()
        #expect(frames.filter(\.isInput).map { ($0.bytes.count + 1_000) * Self.scale / 1_000_000 } == [1, 20, 91])
        let (mesh, sent) = self.replay(frames, configuration)
        for name in ["A", "B"] {
            let expected = frames.filter { !$0.isInput && $0.connection == name }.map { Self.withoutIDs($0.bytes) }
            #expect((sent[name] ?? []).map(Self.withoutIDs) == expected)
            #expect(expected.filter { $0.contains("…") }.allSatisfy { $0.hasSuffix("true") })
        }
        #expect(mesh.statistics.oversizeCount == 1 && mesh.graph.nodeCount == 2)
        #expect(mesh.graph.byteCount >= 21_000_000 / Self.scale && mesh.graph.byteCount < configuration.graph.byteCount)
    }

    @Test("are all too long for a node that is not told to take such, which says so in gun.js's words and keeps the connection")
    func byDefault() throws {
        var configuration = GunMeshConfiguration()
        configuration.limits.messageByteCount /= Self.scale
        let (mesh, sent) = self.replay(try self.frames(), configuration)
        #expect(mesh.statistics.oversizeCount == 3 && mesh.graph.nodeCount == 0)
        let complaints = (sent["A"] ?? []).dropFirst().map(Self.withoutIDs)
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
