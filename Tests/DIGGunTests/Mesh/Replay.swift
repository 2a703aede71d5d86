import Testing

@testable import DIGGun

/// Sends the recorded frames of clients to a mesh, and compares what it sends with what the relay sent.
struct Replay {
    /// The relay's random ids against ours: one to one.
    private var ours: [String: String] = [:]
    private var theirs: [String: String] = [:]
    private var mesh: GunMesh
    private var links: [String: GunLinkID] = [:]
    private var sent: [GunLinkID: [GunJSON]] = [:]
    private var compared: [String: Int] = [:]
    private let base: Double
    private let start = ContinuousClock.now
    /// The ids in the recorded inputs and so not the relay's to choose.
    private var given: Set<String> = []

    init(actsAsStorage: Bool, base: Double) {
        var configuration = GunMeshConfiguration()
        configuration.actsAsStorage = actsAsStorage
        self.mesh = GunMesh(configuration: configuration, actsAsStorage: actsAsStorage)
        self.base = base
    }

    var graph: GunGraph { self.mesh.graph }

    private func time(_ t: Double) -> GunTime {
        GunTime(instant: self.start + .milliseconds(t), unix: self.base + t)
    }

    mutating func connect(_ name: String, at t: Double, dialing url: ExactText? = nil) {
        let (link, actions) = self.mesh.connected(to: url, at: self.time(t))
        self.links[name] = link
        self.take(actions)
    }

    mutating func disconnect(_ name: String) {
        if let link = self.links[name] { self.mesh.disconnected(link) }
    }

    mutating func pass(to t: Double) { self.take(self.mesh.deadlineReached(at: self.time(t))) }

    mutating func input(_ frame: Fixture.Frame) {
        guard let link = self.links[frame.connection] else { return }
        self.collect(frame.raw)
        self.take(self.mesh.deadlineReached(at: self.time(frame.time)))
        self.take(self.mesh.received(Array(frame.raw.utf8), from: link, at: self.time(frame.time)))
    }

    private mutating func collect(_ raw: String) {
        guard let json = try? GunJSONReader.read(Array(raw.utf8)) else { return }
        for message in Self.messages(json) {
            for name in ["#", "pid"] { if let id = message[ExactText(name)]?.text { self.given.insert(id.string) } }
        }
    }

    private mutating func take(_ actions: [GunMesh.Action]) {
        for case .send(let bytes, let link) in actions {
            guard let json = try? GunJSONReader.read(bytes) else {
                Issue.record("not JSON: \(String(decoding: bytes, as: UTF8.self))")
                continue
            }
            // Compared as text below; reading and writing has to give the very text.
            #expect(GunJSONWriter.bytes(json) == bytes)
            self.sent[link, default: []].append(contentsOf: Self.messages(json))
        }
    }

    private static func messages(_ json: GunJSON) -> [GunJSON] {
        if case .array(let elements) = json { return elements }
        return [json]
    }

    /// What the relay sent next on that connection, against what the mesh did.
    mutating func expect(_ frame: Fixture.Frame) {
        guard let link = self.links[frame.connection], let json = try? GunJSONReader.read(Array(frame.raw.utf8)) else { return }
        // The relay writes as we do: sorted.
        #expect(GunJSONWriter.string(json) == frame.raw)
        for expected in Self.messages(json) {
            let index = self.compared[frame.connection, default: 0]
            self.compared[frame.connection] = index + 1
            guard let sent = self.sent[link], index < sent.count else {
                Issue.record("\(frame.connection) misses \(GunJSONWriter.string(expected))")
                continue
            }
            self.compare(expected, sent[index], frame)
        }
    }

    /// Everything that the mesh sent was expected.
    func expectEnd(_ comment: Comment? = nil) {
        #expect(self.compared.values.reduce(0, +) > 0)
        for (name, link) in self.links {
            let extra = (self.sent[link] ?? []).dropFirst(self.compared[name, default: 0]).filter { $0 != .array([]) }
            #expect(extra.isEmpty, "\(name): \(extra.map(GunJSONWriter.string)) \(comment?.description ?? "")")
        }
    }

    func count(on name: String) -> Int { self.links[name].map { self.sent[$0]?.count ?? 0 } ?? 0 }

    private mutating func compare(_ expected: GunJSON, _ sent: GunJSON, _ frame: Fixture.Frame) {
        guard case .object(var left) = expected, case .object(var right) = sent else {
            #expect(expected == sent)
            return
        }
        // Whether a get is passed on with the hash of the answer depends on how busy gun.js was: it hashes in a later turn.
        if left["get"] != nil, left["##"] == nil { right["##"] = nil }
        for name in ["#", "pid", "%"] {
            let name = ExactText(name)
            guard let theirs = left[name]?.text?.string, let ours = right[name]?.text?.string else { continue }
            if self.matches(theirs, ours) {
                left[name] = nil
                right[name] = nil
            }
        }
        if let theirs = left["><"]?.text?.string.split(separator: ","), let ours = right["><"]?.text?.string.split(separator: ","), theirs.count == ours.count,
            zip(theirs, ours).allSatisfy({ self.matches(String($0), String($1)) })
        {
            left["><"] = nil
            right["><"] = nil
        }
        let (a, b) = (GunJSONWriter.string(.object(left)), GunJSONWriter.string(.object(right)))
        #expect(a == b, "on \(frame.connection) at \(frame.time)")
    }

    /// Ids that were given are the same; those that each relay makes go together one to one.
    private mutating func matches(_ theirs: String, _ ours: String) -> Bool {
        if theirs == ours { return true }
        if self.given.contains(theirs) || self.given.contains(ours) { return false }
        if let known = self.ours[theirs] { return known == ours }
        guard self.theirs[ours] == nil else { return false }
        self.ours[theirs] = ours
        self.theirs[ours] = theirs
        return true
    }

    /// Plays a whole recording. Connections are made before their first frame.
    mutating func play(_ frames: [Fixture.Frame]) {
        for frame in frames {
            if self.links[frame.connection] == nil { self.connect(frame.connection, at: frame.time) }
            if frame.isInput {
                self.input(frame)
            } else if frame.raw == "[]" {
                self.pass(to: frame.time + 50)
            }
        }
        for frame in frames where !frame.isInput && frame.raw != "[]" { self.expect(frame) }
    }
}
