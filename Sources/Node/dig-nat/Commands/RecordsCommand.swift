import ArgumentParser
import DIGAvailability
import DIGCommandLine

struct RecordsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "records",
        abstract: "Writes what peers have signed about contents to a file, and checks such a file.",
        discussion: """
            Announcements ("I have it", "I have it no longer") and reports ("this peer does not have what it claims") are signed by whoever says so. \
            Kept, they prove to anybody who has said what: nobody has to be believed, and no network is needed to check them.

            EXAMPLES
              dig-nat records export -o records.dig
              dig-nat records export bciq… -o records.dig
              dig-nat records verify records.dig
            """,
        subcommands: [RecordsExportCommand.self, RecordsVerifyCommand.self])
}

struct RecordsVerifyCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Checks every signed record in a file, with nothing but the file.",
        discussion: """
            FILE is what "records export" writes, or signed records as JSON, one a line. Each record is printed with who signed it and what it says, or \
            why it is wrong. A record counts for the time at which it was received, as whoever exported it says. Ends with exit code 4 if one is wrong.

            EXAMPLES
              dig-nat records verify records.dig
              dig-nat records verify records.dig --json | jq -r 'select(.verified == false)'
            """)

    @Argument(help: ArgumentHelp("The file, or \"-\" for standard input.", valueName: "file"), completion: .file())
    var file: String

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    func execute(_ context: CommandContext) async throws {
        let bytes = try InputFile.bytes(self.file, limit: SignedRecordArchive.maximumByteCount)
        var wrong = 0
        let records = try Self.records(bytes, name: self.file)
        for (index, record) in records.enumerated() {
            try Task.checkCancellation()
            let verdict = RecordVerdict(record, number: index + 1)
            if !verdict.isRight { wrong += 1 }
            context.console.result(verdict.line, event: verdict.event)
        }
        let count = records.count == 1 ? "1 record" : "\(records.count) records"
        context.console.event(["event": "checked", "records": .integer(Int64(records.count)), "wrong": .integer(Int64(wrong))])
        guard wrong == 0 else {
            throw CommandFailure(.verificationFailed, "\(wrong) of \(count) \(wrong == 1 ? "is" : "are") wrong", next: "believe none of the wrong ones: nobody has said that")
        }
        context.console.note("\(count), all right")
    }

    /// An archive, or JSON, one record a line.
    private static func records(_ bytes: [UInt8], name: String) throws -> [SignedRecord] {
        do throws(AvailabilityError) {
            guard bytes.first == UInt8(ascii: "{") else { return try SignedRecordArchive(decoding: bytes).records }
            var records: [SignedRecord] = []
            for line in bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
                let data = try SignedData(json: Array(line))
                // Nobody says when it was received: it is judged as of when it was signed.
                records.append(SignedRecord(.json(data), receivedMilliseconds: data.timestampMilliseconds))
            }
            return records
        } catch {
            throw CommandFailure(
                .verificationFailed, "\(name) holds no signed records: \(error)", next: "name a file that was written by: dig-nat records export")
        }
    }
}
