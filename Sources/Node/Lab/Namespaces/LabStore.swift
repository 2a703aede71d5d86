import Foundation

/// The records of all labs on this machine: a folder each, readable by root only.
///
///     ID/record.json    what ``LabRecord`` says
///     ID/scripts/       what was run in each namespace
///     ID/log/           what the lab's own daemons printed
///     ID/homes/HOST/    the home folder of everything that runs on HOST: each host has an identity of its own
struct LabStore: Sendable {
    var root: String

    static let standard = LabStore(root: "/var/lib/natlab")

    func folder(of id: String) -> String { "\(self.root)/\(id)" }
    func scripts(of id: String) -> String { "\(self.root)/\(id)/scripts" }
    func log(of id: String) -> String { "\(self.root)/\(id)/log" }
    func home(of host: String, in id: String) -> String { "\(self.root)/\(id)/homes/\(host)" }

    /// Takes an ID that no other lab has.
    func reserve() throws(LabError) -> String {
        var generator = SystemRandomNumberGenerator()
        let manager = FileManager.default
        do {
            try manager.createDirectory(atPath: self.root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw LabError(.stateUnusable, "\(self.root) can't be made: \(error.localizedDescription)")
        }
        for _ in 0..<100 {
            let id = LabRecord.randomID(using: &generator)
            // Fails if it exists: the folder is the reservation.
            guard (try? manager.createDirectory(atPath: self.folder(of: id), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])) != nil
            else { continue }
            do {
                for folder in [self.scripts(of: id), self.log(of: id)] { try manager.createDirectory(atPath: folder, withIntermediateDirectories: true) }
            } catch {
                throw LabError(.stateUnusable, "\(self.folder(of: id)) can't be filled: \(error.localizedDescription)")
            }
            return id
        }
        throw LabError(.stateUnusable, "no lab could be added in \(self.root); is the disk full or read-only?")
    }

    func save(_ record: LabRecord) throws(LabError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        encoder.dateEncodingStrategy = .iso8601
        do {
            let url = URL(fileURLWithPath: "\(self.folder(of: record.id))/record.json")
            try encoder.encode(record).write(to: url, options: .atomic)
        } catch {
            throw LabError(.stateUnusable, "the record of lab \(record.id) can't be written: \(error.localizedDescription)")
        }
    }

    func record(of id: String) -> LabRecord? {
        guard let data = FileManager.default.contents(atPath: "\(self.folder(of: id))/record.json") else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let record = try? decoder.decode(LabRecord.self, from: data), record.id == id else { return nil }
        return record
    }

    /// IDs with a folder, whether or not their record can be read.
    var ids: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: self.root)) ?? []).filter(LabRecord.isID).sorted()
    }

    var records: [LabRecord] { self.ids.compactMap(self.record(of:)) }

    func remove(_ id: String) {
        try? FileManager.default.removeItem(atPath: self.folder(of: id))
    }
}
