import DIGCommandLine
import Testing

@testable import DIGNATLab

@Suite("Matrix")
struct MatrixTests {
    /// Measured on real kernels, three times over, with tools of which two are not ours.
    static let measured: [(NATKind, String)] = [
        (.none, "yes yes yes yes yes L L yes L yes -"), (.noInbound, "yes yes yes yes yes - - yes - yes -"), (.fullCone, "yes yes yes yes yes L L yes L yes -"),
        (.addressRestricted, "yes yes yes yes yes L L yes L yes -"), (.portRestricted, "yes yes yes yes yes - - yes - yes -"),
        (.symmetric, "L - L L - - - - - - -"), (.symmetricSequential, "L - L L - - - - - - -"), (.cgnatPortRestricted, "yes yes yes yes yes - - yes - yes -"),
        (.cgnatSymmetric, "L - L L - - - - - - -"), (.udpBlocked, "yes yes yes yes yes - - yes - yes -"), (.webOnly, "- - - - - - - - - - -"),
    ]

    @Test("the yardstick is the measured table")
    func yardstick() {
        #expect(Self.measured.map(\.0) == NATKind.matrixRows)
        for (row, text) in Self.measured {
            #expect(NATKind.matrixRows.map { PunchPrediction.tcp(row, $0).rawValue } == text.split(separator: " ").map(String.init), "\(row)")
        }
        #expect(PunchPrediction.udp(.symmetric, .fullCone) == .direct)
        #expect(PunchPrediction.udp(.udpBlocked, .none) == .impossible)
    }

    @Test("a table lines up, and marks what is not as expected or not repeatable")
    func table() {
        var repeated = MatrixCell(row: .none, column: .none, layer: "direct", isDirect: true, connectMilliseconds: 81.4, directMilliseconds: 81.6)
        repeated.agreeing = 2
        repeated.repeats = 3
        let table = MatrixTable(
            rows: [.none, .symmetric], columns: [.none, .symmetric],
            cells: [
                repeated, MatrixCell(row: .none, column: .symmetric, layer: "relay", connectMilliseconds: 120, expectation: "direct", isAsExpected: false, detail: "refused"),
                MatrixCell(row: .symmetric, column: .none, expectation: "-", isAsExpected: true),
            ])
        #expect(
            table.layers == """
                | A \\ B     | none       | sym     |
                |-----------|------------|---------|
                | none      | direct 2/3 | relay ! |
                | symmetric | -          |         |
                """)
        #expect(
            table.times == """
                | A \\ B     | none  | sym   |
                |-----------|-------|-------|
                | none      | 81/82 | 120/- |
                | symmetric | -     |       |
                """)
        #expect(table.surprises == ["none -> symmetric: relay instead of direct (refused)"])
        #expect(table.summary == "2 of 3 pairs connect, 1 directly; 1 of 2 as the yardstick says; median time to direct 82 ms")
        #expect(table.json.text.contains(#"{"event":"cell","a":"none","b":"symmetric","layer":"relay","direct":false,"connectMs":120.0,"directMs":null,"#))
    }

    @Test("repeats become the most frequent outcome with the median of its times")
    func merging() {
        func run(_ layer: String?, _ milliseconds: Double) -> MatrixCell {
            MatrixCell(row: .none, column: .none, layer: layer, connectMilliseconds: milliseconds, isAsExpected: layer != nil)
        }
        let cell = MatrixCell.merged([run("a", 1), run(nil, 2), run("a", 5)])
        #expect(cell?.layer == "a")
        #expect(cell?.connectMilliseconds == 3)
        #expect(cell?.agreeing == 2)
        #expect(cell?.isAsExpected == false)
        #expect(MatrixCell.merged([]) == nil)
    }

    #if os(Linux)
    @Test("layer and times come from the events of get, the last path winning")
    func events() {
        let start = ContinuousClock.now
        func line(_ milliseconds: Int, _ text: String, _ stream: LabLine.Stream = .standardOutput) -> LabLine {
            LabLine(stream: stream, text: text, instant: start + .milliseconds(milliseconds))
        }
        let output = LabOutput(
            exit: .code(0),
            lines: [
                line(10, "not json"), line(20, #"{"event":"started"}"#), line(100, #"{"event":"path","layer":"relay","direct":false}"#),
                line(150, #"{"event":"path","layer":"x","direct":true}"#, .standardError), line(200, #"{"event":"path","layer":"tcp-punch","direct":true}"#),
                line(300, #"{"event":"path","direct":true}"#),
            ], duration: .seconds(1))
        var cell = MatrixCell(row: .none, column: .none)
        Matrix.read(output, started: start, ProductCommands(), into: &cell)
        #expect(cell.layer == "tcp-punch")
        #expect(cell.isDirect)
        #expect(cell.connectMilliseconds == 100)
        #expect(cell.directMilliseconds == 200)
    }
    #endif
}
