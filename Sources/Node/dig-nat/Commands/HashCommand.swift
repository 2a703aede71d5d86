import ArgumentParser
import DIGCommandLine
import DIGContent
import Foundation

struct HashCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash",
        abstract: "Prints the content hash of files, and what else names them.",
        discussion: """
            The content hash commits to the size and to the root of the hash tree, which is BitTorrent v2's "pieces root". Nothing is shared.

            EXAMPLES
              dig-nat hash disk.img
              dig-nat hash --quiet --no-sha256 *.iso
            """)

    @Argument(help: ArgumentHelp("Files.", valueName: "file"), completion: .file())
    var files: [String]

    @Flag(inversion: .prefixedNo, help: "Compute the plain SHA-256, too; that takes several times as long.")
    var sha256 = true

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        for path in self.files {
            let name = LocalPath.name(path)
            let console = context.console
            let file = try await FileHasher().hash(fileAt: path) { progress in
                console.progress(ProgressSnapshot(.hashing, name: name, byteCount: progress.completed, total: progress.total))
            }
            var sha256: SHA256Digest?
            if self.sha256, !self.global.quiet {
                sha256 = try await PlainSHA256.hash(fileAt: path) { progress in
                    console.progress(ProgressSnapshot(.hashing, name: "\(name) (sha256)", byteCount: progress.completed, total: progress.total))
                }
            }
            let descriptor = file.descriptor
            let link = try ShareLink(descriptor: descriptor, name: FileNameSanitizer.sanitized(name), sha256: sha256).description
            var lines = descriptor.contentHash.description
            if !self.global.quiet {
                lines = """
                    \(TerminalText.singleLine(path))
                      content hash  \(descriptor.contentHash)
                      tree root     \(descriptor.root.hex)
                      size          \(descriptor.size)
                    """
                if let sha256 { lines += "\n  sha256        \(sha256.hex)" }
                lines += "\n  link          \(link)"
            }
            console.result(
                lines,
                event: [
                    "event": "hash", "path": .string(path), "contentHash": .string(descriptor.contentHash.description),
                    "root": .string(descriptor.root.hex), "bytes": .unsigned(descriptor.size), "sha256": sha256.map { .string($0.hex) } ?? .null,
                    "link": .string(link),
                ])
        }
    }
}
