import Foundation
import Testing

@testable import DIGNATLab

@Suite("Lab records")
struct LabRecordTests {
    private func temporaryStore() -> LabStore {
        LabStore(root: FileManager.default.temporaryDirectory.appendingPathComponent("natlab-\(UUID().uuidString)").path)
    }

    private func record(_ id: String) -> LabRecord {
        LabRecord(
            id: id, isStanding: false, owner: .current, created: Date(timeIntervalSince1970: 1_700_000_000), title: "test", plan: .everyKind, reboots: ["a-gw": 1])
    }

    @Test("a record is found again as it was written, until it is removed")
    func roundTrip() throws {
        let store = self.temporaryStore()
        defer { try? FileManager.default.removeItem(atPath: store.root) }
        let id = try store.reserve()
        #expect(store.record(of: id) == nil)
        #expect(store.ids == [id])
        let record = self.record(id)
        try store.save(record)
        #expect(store.records == [record])
        store.remove(id)
        #expect(store.ids.isEmpty)
    }

    @Test("a record that can't be read, or is another's, is none")
    func unreadable() throws {
        let store = self.temporaryStore()
        defer { try? FileManager.default.removeItem(atPath: store.root) }
        let id = try store.reserve()
        try store.save(self.record(id))
        let path = "\(store.folder(of: id))/record.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for broken in ["", "{}", String(text.dropLast(20)), text.replacing(id, with: "other")] {
            try broken.write(toFile: path, atomically: true, encoding: .utf8)
            #expect(store.record(of: id) == nil)
            #expect(store.ids == [id])
        }
    }

    @Test("a namespace belongs to the lab its name says, and to none if the name is not ours")
    func namespaces() {
        #expect(LabRecord.id(ofNamespace: "dnl-abc23-alice-gw") == "abc23")
        for name in ["alice", "dnl-", "dnl-abc23", "dnl-abc2-x", "dnl-abc234-x", "dnl-ABC23-x", "dnl-../..-x", "xdnl-abc23-a"] {
            #expect(LabRecord.id(ofNamespace: name) == nil, "\(name)")
        }
        var generator = SystemRandomNumberGenerator()
        #expect(LabRecord.isID(LabRecord.randomID(using: &generator)))
    }

    @Test("an owner is alive while it runs; another process with its number, or another boot, is not it")
    func owners() {
        let owner = LabOwner.current
        #expect(owner.isAlive)
        var other = owner
        other.startTicks += 1
        #expect(!other.isAlive)
        other = owner
        other.bootID = "another"
        #expect(!other.isAlive)
        other = owner
        other.pid = 0
        #expect(!other.isAlive)
    }

    @Test("who needs a lab is one word")
    func states() {
        var record = self.record("abc23")
        #expect(record.state == .inUse)
        record.owner.startTicks += 1
        #expect(record.state == .leftBehind)
        record.isStanding = true
        #expect(record.state == .standing)
        #expect([LabRecord.State.standing, .inUse, .leftBehind].map(\.rawValue) == ["standing", "in-use", "left-behind"])
    }

    @Test("the start of a process is read past any name, and a zombie has ended")
    func statFields() {
        let tail = (1...30).map(String.init).joined(separator: " ")
        #expect(LabOwner.startTicks(inStat: "7 (a) b) (c) S \(tail)") == 19)
        #expect(LabOwner.startTicks(inStat: "7 (a) Z \(tail)") == nil)
        #expect(LabOwner.startTicks(inStat: "7 (a) S 1 2") == nil)
        #expect(LabOwner.startTicks(inStat: "") == nil)
    }
}
