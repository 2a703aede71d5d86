import DIGAnnouncement
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGNatTools
import DIGStorage
import Foundation

/// Directories of which everything is shared, and files.
struct SharedPaths: Sendable {
    let host: FileHost
    /// Absolute.
    let paths: [String]
    /// Each can be asked for by its file name, too.
    let names: Bool
    let console: Console
    /// Is told what is shared.
    var watch: AnnouncementWatch?

    struct Change: Hashable, Sendable {
        var added = 0
        var removed = 0
        var unchanged = 0
    }

    /// Shares what is new or has changed, and ends sharing what is gone. What can't be read is said, and is no reason to stop.
    ///
    /// - Throws: `CancellationError`, `StorageError`.
    func update() async throws -> Change {
        var change = Change()
        let entries = self.entries
        let announces = self.host.network.configuration.discovery.announces
        let store = SharedContentStore(database: self.host.network.database)
        let known = Dictionary(grouping: try await self.host.contents, by: \.path)
        for entry in entries {
            try Task.checkCancellation()
            let before = known[entry] ?? []
            let name = LocalPath.name(entry)
            let wantsName = self.names ? name : nil
            if before.count == 1, before[0].kind == .file, before[0].contentID == wantsName || !self.names,
                (before[0].announceLevel != nil) == announces, try await self.isUnchanged(before[0], store) {
                change.unchanged += 1
                continue
            }
            do {
                let content = try await self.host.addFile(entry, contentID: wantsName) { [console] progress in
                    console.progress(ProgressSnapshot(.hashing, name: name, byteCount: progress.completed, total: progress.total))
                }
                await self.watch?.add(content.contentHash, name: content.name)
                if before.contains(where: { $0.contentHash == content.contentHash && $0.contentID == content.contentID }) { change.unchanged += 1 } else { change.added += 1 }
                self.console.event(content.event("shared", link: nil))
            } catch let error as ContentError {
                self.console.warning("\(entry) is not shared: \(error.description)")
            }
        }
        let present = Set(entries)
        for (path, contents) in known where !present.contains(path) && self.isOurs(path) {
            for content in contents {
                try await self.host.removeFile(content.contentHash)
                change.removed += 1
                self.console.event(["event": "removed", "contentHash": .string(content.contentHash.description), "path": .string(path)])
            }
        }
        self.console.clearProgress()
        return change
    }

    /// What is there now: hidden files excepted, in the order of their names.
    private var entries: [String] {
        self.paths.flatMap { path -> [String] in
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
                self.console.warning("there is no file or directory \(path)")
                return []
            }
            guard isDirectory.boolValue else { return [path] }
            do {
                return try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }.sorted().map { path + "/" + $0 }
            } catch {
                self.console.warning("\(path) cannot be read: \(error.localizedDescription)")
                return []
            }
        }
    }

    /// One of the paths, or in one of them.
    private func isOurs(_ path: String) -> Bool {
        self.paths.contains { $0 == path || (path.hasPrefix($0 + "/") && !path.dropFirst($0.count + 1).contains("/")) }
    }

    private func isUnchanged(_ content: SharedContent, _ store: SharedContentStore) async throws -> Bool {
        for file in try await store.files(of: content.contentHash) {
            do {
                if try FileStamp(ofFileAt: file.path) != file.stamp { return false }
            } catch {
                return false  // gone, or unreadable
            }
        }
        return true
    }
}

extension SharedPaths.Change {
    var text: String { "sharing \(self.added + self.unchanged): \(self.added) new or changed, \(self.removed) gone" }

    var event: JSONObject {
        [
            "event": "scanned", "added": .integer(Int64(self.added)), "unchanged": .integer(Int64(self.unchanged)), "removed": .integer(Int64(self.removed)),
        ]
    }
}
