#if os(Linux)
import Foundation

/// Measures every pair of two lists of NAT kinds in one lab.
public struct Matrix: Sendable {
    public var rows: [NATKind]
    public var columns: [NATKind]
    /// One way, on each home's line. At none, SYNs never cross and TCP punching is judged too kindly and too harshly at once.
    public var delay: Duration = .milliseconds(15)
    public var measurement: Measurement
    public var repeats = 1
    /// Pairs measured at the same time.
    public var parallel = 4
    /// How long a punch is tried.
    public var punchTimeLimit: Duration = .seconds(4)

    public init(rows: [NATKind] = NATKind.matrixRows, columns: [NATKind] = NATKind.matrixRows, measurement: Measurement) {
        self.rows = rows
        self.columns = columns
        self.measurement = measurement
    }

    static func rowHome(_ kind: NATKind) -> String { "a-\(kind.rawValue)" }
    static func columnHome(_ kind: NATKind) -> String { "b-\(kind.rawValue)" }
    static let relayHost = "relay"

    /// One home for each row and each column, and a public host for the relay.
    public var plan: LabPlan {
        let link = LinkPlan(delay: self.delay)
        let homes = self.rows.map { HomePlan(Self.rowHome($0), nat: $0, link: link) } + self.columns.map { HomePlan(Self.columnHome($0), nat: $0, link: link) }
        return LabPlan(publicHosts: [PublicHostPlan(Self.relayHost)], homes: homes)
    }

    /// Measures all pairs in a lab built of ``plan``.
    ///
    /// - Throws: ``LabError`` if the lab itself fails; a pair that does not connect is a cell, no error. `CancellationError`.
    public func measure(in lab: Lab, onCell: @Sendable (MatrixCell) -> Void) async throws -> MatrixTable {
        let pairs = self.rows.flatMap { row in self.columns.map { (row, $0) } }
        var cells: [Int: MatrixCell] = [:]
        let relay: RunningRelay?
        switch self.measurement {
        case .punch: relay = nil
        case .product(let commands, _): relay = try await RunningRelay(commands, on: try await lab.host(Self.relayHost))
        }
        do {
            try await withThrowingTaskGroup(of: (Int, MatrixCell).self) { group in
                var waiting = Array(pairs.enumerated())[...]
                func add() {
                    guard let (index, (row, column)) = waiting.popFirst() else { return }
                    group.addTask {
                        var runs: [MatrixCell] = []
                        for _ in 0..<max(1, self.repeats) { runs.append(try await self.cell(row, column, in: lab, relay: relay)) }
                        return (index, MatrixCell.merged(runs) ?? MatrixCell(row: row, column: column))
                    }
                }
                for _ in 0..<max(1, self.parallel) { add() }
                while let (index, cell) = try await group.next() {
                    cells[index] = cell
                    onCell(cell)
                    add()
                }
            }
        } catch {
            await relay?.process.terminate()
            throw error
        }
        await relay?.process.terminate()
        return MatrixTable(rows: self.rows, columns: self.columns, cells: cells.sorted { $0.key < $1.key }.map(\.value))
    }

    private func cell(_ row: NATKind, _ column: NATKind, in lab: Lab, relay: RunningRelay?) async throws -> MatrixCell {
        switch self.measurement {
        case .punch(let transport): return try await self.punch(row, column, transport, in: lab)
        case .product(let commands, let byteCount):
            guard let relay else { return MatrixCell(row: row, column: column) }
            return try await self.transfer(row, column, commands, byteCount, relay: relay, in: lab)
        }
    }

    // MARK: The lab's own prober

    private func punch(_ row: NATKind, _ column: NATKind, _ transport: PunchTransport, in lab: Lab) async throws -> MatrixCell {
        let expectation = transport == .tcp ? PunchPrediction.tcp(row, column) : .udp(row, column)
        var cell = MatrixCell(row: row, column: column, expectation: expectation.rawValue)
        var result = PunchPrediction.impossible
        for listens in transport == .tcp ? [false, true] : [true] {
            let (a, b) = try await lab.punch(
                Self.rowHome(row), Self.columnHome(column), transport: transport, listens: listens, timeLimit: self.punchTimeLimit)
            if a.isConnected && b.isConnected {
                result = listens && transport == .tcp ? .needsListener : .direct
                cell.connectMilliseconds = [a.introducedMilliseconds, b.introducedMilliseconds].compactMap { $0 }.max()
                cell.directMilliseconds = [a.punchedMilliseconds, b.punchedMilliseconds].compactMap { $0 }.max()
                cell.detail = nil
                break
            }
            cell.detail = "A: \(a.reason ?? "connected"), B: \(b.reason ?? "connected")"
            if !a.wasIntroduced || !b.wasIntroduced { break }
        }
        cell.layer = result == .impossible ? nil : result.rawValue
        cell.isDirect = result != .impossible
        cell.isAsExpected = result == expectation
        return cell
    }

    // MARK: The product

    /// A relay that was started, with what `${…}` stands for.
    private struct RunningRelay: Sendable {
        let process: LabProcess
        let variables: ScenarioVariables

        init(_ commands: ProductCommands, on host: LabHost) async throws {
            var variables = ScenarioVariables(["relay.ip": host.ipv4])
            self.process = try await host.start(try Matrix.expand(commands.relay, variables), environment: commands.environment)
            do {
                let line = try await self.process.line(timeout: commands.readyTimeout) { ScenarioRunner.match(commands.relayAddress, in: $0.text) != nil }
                variables.set("relay", to: ScenarioRunner.match(commands.relayAddress, in: line.text) ?? "")
            } catch {
                await self.process.terminate(grace: .seconds(1))
                throw error
            }
            self.variables = variables
        }
    }

    private static func expand(_ command: [String], _ variables: ScenarioVariables) throws(LabError) -> [String] {
        var result: [String] = []
        for word in command { result.append(try variables.expand(word)) }
        return result
    }

    private func transfer(
        _ row: NATKind, _ column: NATKind, _ commands: ProductCommands, _ byteCount: Int, relay: RunningRelay, in lab: Lab
    ) async throws -> MatrixCell {
        let expectation = PunchPrediction.tcp(row, column) == .impossible ? "relayed" : "direct"
        var cell = MatrixCell(row: row, column: column, expectation: expectation)
        let sharer = try await lab.host(Self.rowHome(row))
        let getter = try await lab.host(Self.columnHome(column))
        // A pair shall not profit from what an earlier one has opened, and each side is a stranger to the relay.
        let run = "\(row.rawValue)-\(column.rawValue)-\(UInt32.random(in: 0 ... .max))"
        let folders = [sharer, getter].map { "\($0.folder)/\(run)" }
        for folder in folders { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
        defer { for folder in folders { try? FileManager.default.removeItem(atPath: folder) } }
        let content = Data((0..<max(1, byteCount / 8)).flatMap { _ in withUnsafeBytes(of: UInt64.random(in: 0 ... .max)) { Array($0) } })
        try content.write(to: URL(fileURLWithPath: "\(folders[0])/file"))

        var variables = relay.variables
        variables.set("file", to: "\(folders[0])/file")
        variables.set("output", to: "\(folders[1])/file")
        let share = try await sharer.start(
            try Self.expand(commands.share, variables), environment: commands.environment.merging(["HOME": folders[0]]) { $1 })
        var get: LabProcess?
        do {
            let line = try await share.line(timeout: commands.readyTimeout) { ScenarioRunner.match(commands.link, in: $0.text) != nil }
            variables.set("link", to: ScenarioRunner.match(commands.link, in: line.text) ?? "")
            let process = try await getter.start(
                try Self.expand(commands.get, variables), environment: commands.environment.merging(["HOME": folders[1]]) { $1 })
            get = process
            let output = try await process.wait(timeout: commands.transferTimeout)
            Self.read(output, started: process.started, commands, into: &cell)
            if !output.exit.isSuccess {
                cell.layer = nil
                cell.detail = "get: \(output.exit)" + (output.lines.last.map { ": \($0.text)" } ?? "")
            } else if FileManager.default.contents(atPath: "\(folders[1])/file") != content {
                cell.layer = nil
                cell.detail = "the file got is not the file shared"
            }
        } catch let error as LabError {
            cell.layer = nil
            cell.detail = error.message
        } catch {
            await get?.terminate(grace: .seconds(2))
            await share.terminate(grace: .seconds(2))
            throw error
        }
        await get?.terminate(grace: .seconds(2))
        await share.terminate(grace: .seconds(2))
        if cell.layer == nil { cell.isDirect = false }
        cell.isAsExpected = cell.layer != nil && (expectation == "relayed" || cell.isDirect)
        return cell
    }

    /// Takes layer and times from the events that `get` printed.
    static func read(_ output: LabOutput, started: ContinuousClock.Instant, _ commands: ProductCommands, into cell: inout MatrixCell) {
        for line in output.lines where line.stream == .standardOutput {
            guard let object = (try? JSONSerialization.jsonObject(with: Data(line.text.utf8))) as? [String: Any], object["event"] as? String == commands.pathEvent,
                let layer = object[commands.layerMember] as? String
            else { continue }
            let isDirect = object[commands.directMember] as? Bool ?? false
            let milliseconds = (line.instant - started) / .milliseconds(1)
            cell.layer = layer
            cell.isDirect = isDirect
            if cell.connectMilliseconds == nil { cell.connectMilliseconds = milliseconds }
            if isDirect, cell.directMilliseconds == nil { cell.directMilliseconds = milliseconds }
        }
    }
}
#endif
