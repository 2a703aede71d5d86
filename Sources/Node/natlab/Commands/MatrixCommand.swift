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
    @Option(help: "Seconds a punch is tried; with --probe. Default: 4") var limit: Double?
    @Option(help: "KiB to transfer; without --probe. Default: 20480") var size: Int?
    @Flag(help: "Do not measure the NATs first.") var noVerify = false
    @Flag(help: "One JSON object a line; the last holds the whole matrix.") var json = false

    func validate() throws {
        func check<Value: Comparable>(_ name: String, _ value: Value, _ range: ClosedRange<Value>) throws {
            guard range.contains(value) else { throw ValidationError("--\(name): from \(range.lowerBound) to \(range.upperBound), not \(value)") }
        }
        try check("delay", self.delay, 0...5000)
        try check("repeats", self.repeats, 1...100)
        try check("parallel", self.parallel, 1...64)
        try check("limit", self.limit ?? 4, 0.1...60)
        try check("size", self.size ?? 1, 1...1_048_576)
        if self.limit != nil, self.probe == nil { throw ValidationError("--limit is for --probe") }
        if self.size != nil, self.probe != nil { throw ValidationError("--size is for transfers, --probe makes none") }
        _ = try (Self.kinds("rows", self.rows), Self.kinds("columns", self.columns))
    }

    func execute(_ output: Output) async throws {
        #if os(Linux)
        let rows = try Self.kinds("rows", self.rows) ?? NATKind.matrixRows
        let columns = try Self.kinds("columns", self.columns) ?? rows
        let measurement: Measurement =
            switch self.probe {
            case .tcpPunch: .punch(.tcp)
            case .udpPunch: .punch(.udp)
            case nil: .product(ProductCommands(), byteCount: (self.size ?? 20_480) * 1024)
            }
        var matrix = Matrix(rows: rows, columns: columns, measurement: measurement)
        matrix.delay = .microseconds(Int64(self.delay * 1000))
        matrix.repeats = self.repeats
        matrix.parallel = self.parallel
        matrix.punchTimeLimit = .milliseconds(Int64((self.limit ?? 4) * 1000))
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

    static func kinds(_ option: String, _ text: String?) throws -> [NATKind]? {
        guard let text else { return nil }
        var kinds: [NATKind] = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let kind = NATKind(named: String(name)) else { throw ValidationError("--\(option): \(LabError.unknownKind(String(name)).message)") }
            guard !kinds.contains(kind) else { throw ValidationError("--\(option): \(kind.rawValue) is there twice") }
            kinds.append(kind)
        }
        return kinds
    }
}
