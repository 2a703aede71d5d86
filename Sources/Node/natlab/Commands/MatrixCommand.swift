import ArgumentParser
import DIGCommandLine
import DIGNATLab

struct MatrixCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "matrix", abstract: "Which pairs of NATs get through to each other, by which layer, how fast.",
        discussion: """
            With --probe tcp-punch or udp-punch: what is possible at all, measured with a prober of the lab's own that two homes run \
            through a rendezvous. "yes" needs nothing but connect() on both sides, "L" a listener on the punched port as well, "-" fails.

            Without: the product. A dig-nat node is the relay on a public host, "dig-nat share" runs behind the row's NAT and "dig-nat \
            get" behind the column's. Cells name the layer that won; the second table has the milliseconds to connect / to a direct path.

            Every NAT is measured first; one that is not as named ends the run.
            """)

    enum Probe: String, ExpressibleByArgument, CaseIterable { case tcpPunch = "tcp-punch", udpPunch = "udp-punch" }

    @Option(help: "Measure with the lab's own prober.") var probe: Probe?
    @Option(help: "Kinds of the rows, separated by commas (see natlab kinds).") var rows: String?
    @Option(help: "Kinds of the columns. Default: as the rows.") var columns: String?
    @Option(help: "One way on each home's line, in milliseconds.") var delay = 15.0
    @Option(help: "Measure each pair so often.") var repeats = 1
    @Option(help: "Pairs at the same time.") var parallel = 4
    @Option(help: "Seconds a punch is tried.") var limit = 4.0
    @Option(help: "KiB to transfer.") var size = 20_480
    @Flag(help: "Do not measure the NATs first.") var noVerify = false
    @Flag(help: "One JSON object a line; the last holds the whole matrix.") var json = false

    func execute(_ output: Output) async throws {
        #if os(Linux)
        let rows = try Self.kinds(self.rows) ?? NATKind.matrixRows
        let columns = try Self.kinds(self.columns) ?? rows
        guard (0...5000).contains(self.delay), (1...100).contains(self.repeats), (1...64).contains(self.parallel), (0.1...60).contains(self.limit), (1...1_048_576).contains(self.size)
        else { throw ValidationError("out of range: --delay 0…5000, --repeats 1…100, --parallel 1…64, --limit 0.1…60, --size 1…1048576") }
        let measurement: Measurement =
            switch self.probe {
            case .tcpPunch: .punch(.tcp)
            case .udpPunch: .punch(.udp)
            case nil: .product(ProductCommands(), byteCount: self.size * 1024)
            }
        var matrix = Matrix(rows: rows, columns: columns, measurement: measurement)
        matrix.delay = .microseconds(Int64(self.delay * 1000))
        matrix.repeats = self.repeats
        matrix.parallel = self.parallel
        matrix.punchTimeLimit = .milliseconds(Int64(self.limit * 1000))
        let verifies = !self.noVerify
        let configured = matrix
        let table = try await Lab.with(matrix.plan, options: LabOptions(title: "matrix", progress: output.progress)) { lab in
            if verifies {
                output.progress("measuring every NAT first")
                let wrong = try await lab.verify { output.event($0.json) }.filter { !$0.isAsNamed }
                guard wrong.isEmpty else {
                    throw LabError(.notReady, wrong.map { "\($0.home) is not as named: \($0.differences.joined(separator: ", "))" }.joined(separator: "; "))
                }
            }
            output.progress("\(rows.count * columns.count) pairs, \(configured.parallel) at a time")
            return try await configured.measure(in: lab) { cell in
                output.event(cell.json)
                output.progress("\(cell.row.rawValue) -> \(cell.column.rawValue): \(cell.layer ?? "-")" + (cell.isAsExpected == false ? "   NOT AS EXPECTED" : ""))
            }
        }
        if self.json {
            output.event(table.json)
        } else {
            output.result(table.layers)
            output.result("\nMilliseconds to \(self.probe == nil ? "connect" : "be introduced") / to a direct path\(self.probe == nil ? "" : " from there"):\n\n\(table.times)\n")
            for surprise in table.surprises { output.result(surprise) }
            output.result(table.summary)
        }
        if !table.surprises.isEmpty { throw ExitCode(ExitStatus.notAsExpected.rawValue) }
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }

    static func kinds(_ text: String?) throws -> [NATKind]? {
        guard let text else { return nil }
        return try text.split(separator: ",").map { name in
            guard let kind = NATKind(rawValue: String(name)) ?? NATKind.allCases.first(where: { $0.shortName == name }) else {
                throw ValidationError("\"\(name)\" is no kind of NAT; natlab kinds lists them")
            }
            return kind
        }
    }
}
