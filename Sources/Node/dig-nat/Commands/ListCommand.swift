import ArgumentParser
import DIGAccess
import DIGAnnouncement
import DIGCommandLine
import DIGContent
import DIGStorage
import DIGTransfer
import Foundation

struct ListCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "Lists what is shared, and downloads that are not finished.",
        discussion: """
            A file that changed or vanished since it was shared is marked: it is not served until it is shared again.

            EXAMPLES
              dig-nat ls
              dig-nat ls --json | jq -r 'select(.event == "content") | .contentHash'
            """,
        aliases: ["list"])

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    private enum Condition: String {
        case unchanged, changed
    }

    func execute(_ context: CommandContext) async throws {
        let database = try context.database()
        let store = SharedContentStore(database: database)
        let console = context.console
        let shares = try await store.shares()
        let rules = try await SQLiteAccessStore(database: database).accessLists()
        for share in shares {
            let files = try await store.files(of: share.contentHash)
            let condition: Condition = files.allSatisfy(Self.isUnchanged) ? .unchanged : .changed
            let sha256 = share.kind == .file ? files.first?.sha256 : nil
            let paths = share.kind == .file ? [share.path] + files.map(\.path).filter { $0 != share.path } : [share.path]
            let name = share.contentID.map { "\(share.name) (\($0))" } ?? share.name
            let fileCount = share.kind == .folder ? ", \(files.count) files" : ""
            let access = rules[share.contentHash] ?? .everyone
            let mark = (condition == .unchanged ? "" : "  [changed: share it again]") + (share.announceLevel == nil ? "  [not announced]" : "") + (AccessText.words(access).map { "  [\($0)]" } ?? "")
            console.result(
                "\(share.contentHash)  \(ByteCount.text(share.byteCount))\(fileCount)  \(TerminalText.singleLine(name))  \(paths.map(TerminalText.singleLine).joined(separator: ", "))\(mark)",
                event: [
                    "event": "content", "contentHash": .string(share.contentHash.description), "kind": .string(share.kind.rawValue),
                    "name": .string(share.name), "contentID": share.contentID.map(JSONValue.string) ?? .null, "path": .string(share.path),
                    "bytes": .unsigned(share.byteCount), "files": .integer(Int64(files.count)), "sha256": sha256.map { .string($0.hex) } ?? .null,
                    "condition": .string(condition.rawValue), "addedSeconds": .integer(Int64(share.added.timeIntervalSince1970)),
                    "access": AccessText.json(access), "announceLevel": share.announceLevel.map { .string($0.rawValue) } ?? .null,
                    "paths": .array(paths.map { .string($0) }),
                ])
        }
        let transfers = try await SQLiteTransferStore(database: database).transfers()
        for transfer in transfers {
            let count = transfer.verified.count
            let percent = count == 0 ? 100 : transfer.verified.setCount * 100 / count
            let hash = transfer.descriptor.contentHash
            console.result(
                "\(hash)  \(percent)% of \(ByteCount.text(transfer.descriptor.size))  unfinished  \(TerminalText.singleLine(transfer.destination))",
                event: [
                    "event": "unfinished", "contentHash": .string(hash.description), "path": .string(transfer.destination),
                    "bytes": .unsigned(transfer.descriptor.size), "fraction": .number(count == 0 ? 1 : Double(transfer.verified.setCount) / Double(count)),
                ])
        }
        if shares.isEmpty, transfers.isEmpty { console.note("nothing is shared; share something with: dig-nat share PATH") }
    }

    private static func isUnchanged(_ file: SharedFile) -> Bool {
        do {
            return try FileStamp(ofFileAt: file.path) == file.stamp
        } catch {
            return false  // gone, or unreadable
        }
    }
}
