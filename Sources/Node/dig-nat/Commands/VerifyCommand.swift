import ArgumentParser
import DIGCommandLine
import DIGContent
import DIGNatTools
import Foundation

struct VerifyCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks that a file or folder is what a link or hash says.",
        discussion: """
            Ends with exit code 4 if it is not. Nothing is sent or shared.

            EXAMPLES
              dig-nat verify holiday.mp4 'dig:bciq…'
              dig-nat verify disk.img 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
            """)

    @Argument(help: ArgumentHelp("The file or folder.", valueName: "file"), completion: .file())
    var file: String

    @Argument(help: ArgumentHelp("Link, content hash or SHA-256.", valueName: "link"))
    var reference: String

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let console = context.console
        let name = LocalPath.name(self.file)
        let progress: @Sendable (HashProgress) -> Void = { progress in
            console.progress(ProgressSnapshot(.hashing, name: name, byteCount: progress.completed, total: progress.total))
        }
        let reference = try ContentReference(parsing: self.reference)
        let (expected, actual): (String, String)
        switch reference {
        case .name:
            throw CommandFailure(.usage, "a name proves nothing about a file", next: "give a link, a content hash or a SHA-256")
        case .sha256(let digest):
            (expected, actual) = (digest.hex, try await PlainSHA256.hash(fileAt: self.file, progress: progress).hex)
        case .contentHash(let hash):
            (expected, actual) = (hash.description, try await self.contentHash(progress).description)
        case .link(let link):
            (expected, actual) = (link.contentHash.description, try await self.contentHash(progress).description)
            if expected == actual, let sha256 = link.sha256 {
                let plain = try await PlainSHA256.hash(fileAt: self.file, progress: progress)
                guard plain == sha256 else {
                    throw CommandFailure(
                        .verificationFailed, "\(self.file) is the content of the link, but the link's sha256 is another",
                        details: ["sha256 in the link  \(sha256.hex)", "sha256 of the file  \(plain.hex)"], next: "ask whoever made the link")
                }
            }
        }
        guard expected == actual else {
            throw CommandFailure(
                .verificationFailed, "\(self.file) is not what was expected", details: ["expected  \(expected)", "found     \(actual)"],
                next: "get it again: dig-nat get")
        }
        console.result(
            "\(TerminalText.singleLine(self.file)): verified", event: ["event": "verified", "path": .string(self.file), "hash": .string(actual)])
    }

    private func contentHash(_ progress: @escaping @Sendable (HashProgress) -> Void) async throws -> ContentHash {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: self.file, isDirectory: &isDirectory), isDirectory.boolValue else {
            return try await FileHasher().hash(fileAt: self.file, progress: progress).descriptor.contentHash
        }
        let files = try FolderWalk.files(in: LocalPath.absolute(self.file))
        let total = files.reduce(UInt64(0)) { $0 &+ $1.size }
        var done: UInt64 = 0
        var entries: [FolderListing.Entry] = []
        for file in files {
            let hashed = try await FileHasher().hash(fileAt: file.absolutePath) { [done] step in
                progress(HashProgress(completed: min(total, done &+ step.completed), total: total))
            }
            done &+= hashed.stamp.size
            entries.append(FolderListing.Entry(path: file.path, descriptor: hashed.descriptor))
        }
        return try FolderListing(entries: entries).contentHash
    }
}
