import ArgumentParser
import DIGAvailability
import DIGCommandLine
import DIGContent
import DIGStorage
import Foundation

struct RecordsExportCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Writes the signed records that this node has to a file.",
        discussion: """
            All of them, or those about one content. Of each peer, content and kind the latest is kept. Ends with exit code 3 if there are none.

            EXAMPLES
              dig-nat records export -o records.dig
              dig-nat records export bciq… > records.dig
            """)

    @Argument(help: ArgumentHelp("Content hash, link, or a name or path that is shared here; without, all records.", valueName: "reference"))
    var reference: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The file to write, or \"-\" for standard output.", valueName: "path"), completion: .file())
    var output = "-"

    @Flag(help: "Replace the file if it is there.")
    var replace = false

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var writesFileToStandardOutput: Bool { self.output == "-" }

    func execute(_ context: CommandContext) async throws {
        let database = try context.database()
        let content: ContentHash?
        if let reference = self.reference { content = try await ContentName.hash(reference, in: database) } else { content = nil }
        let records = try await SQLiteAvailabilityStore(database: database).records(about: content, limit: SignedRecordArchive.maximumRecordCount)
        guard !records.isEmpty else {
            throw CommandFailure(.notFound, "there are no signed records\(content.map { " about \($0)" } ?? "")", next: "they come with time: run a node, or get something")
        }
        let bytes = try SignedRecordArchive(records).encoded()
        if self.writesFileToStandardOutput {
            guard !Terminal(descriptor: 1, environment: ProcessInfo.processInfo.environment).isInteractive else {
                throw CommandFailure(.usage, "the records are no text for a terminal", next: "name a file with -o")
            }
            if let code = bytes.withUnsafeBytes({ StandardOutput.write($0, to: 1) }) {
                throw CommandFailure(code == EPIPE ? .failure : .disk, "standard output takes no more: \(String(cString: strerror(code)))", next: "see why the reader of the pipe ended")
            }
        } else {
            let url = URL(fileURLWithPath: self.output)
            do { try Data(bytes).write(to: url, options: self.replace ? .atomic : .withoutOverwriting) } catch {
                let exists = FileManager.default.fileExists(atPath: self.output)
                throw CommandFailure(
                    .disk, "\(self.output) \(exists && !self.replace ? "is there already" : "cannot be written: \(error.localizedDescription)")",
                    next: exists && !self.replace ? "choose another name, or say --replace" : "choose another place with -o")
            }
        }
        context.console.note("\(records.count == 1 ? "1 record" : "\(records.count) records"), \(ByteCount.text(UInt64(bytes.count)))")
        let event: JSONObject = [
            "event": "exported", "path": self.writesFileToStandardOutput ? .null : .string(self.output), "records": .integer(Int64(records.count)),
            "bytes": .unsigned(UInt64(bytes.count)), "contentHash": content.map { .string("\($0)") } ?? .null,
        ]
        if self.writesFileToStandardOutput { context.console.event(event) } else { context.console.result(TerminalText.singleLine(self.output), event: event) }
    }
}
