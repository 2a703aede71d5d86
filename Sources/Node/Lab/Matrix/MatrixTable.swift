public import DIGCommandLine

/// The cells as tables a person can read and paste: Markdown that also lines up in a terminal.
public struct MatrixTable: Hashable, Sendable {
    public var rows: [NATKind]
    public var columns: [NATKind]
    public var cells: [MatrixCell]

    public init(rows: [NATKind], columns: [NATKind], cells: [MatrixCell]) {
        self.rows = rows
        self.columns = columns
        self.cells = cells
    }

    /// Which layer won for each pair; `!` marks a cell that is not as expected, `n/m` one whose repeats differ.
    public var layers: String {
        self.table { cell in
            var text = cell.layer ?? "-"
            if cell.agreeing < cell.repeats { text += " \(cell.agreeing)/\(cell.repeats)" }
            if cell.isAsExpected == false { text += " !" }
            return text
        }
    }

    /// Milliseconds to connect and to a direct path.
    public var times: String {
        self.table { cell in
            func text(_ value: Double?) -> String { value.map { "\(Int($0.rounded()))" } ?? "-" }
            return cell.layer == nil ? "-" : "\(text(cell.connectMilliseconds))/\(text(cell.directMilliseconds))"
        }
    }

    /// The cells that are not as expected, each with its reason.
    public var surprises: [String] {
        self.cells.filter { $0.isAsExpected == false }.map { cell in
            "\(cell.row.rawValue) -> \(cell.column.rawValue): \(cell.layer ?? "nothing") instead of \(cell.expectation ?? "?")" + (cell.detail.map { " (\($0))" } ?? "")
        }
    }

    public var summary: String {
        let judged = self.cells.filter { $0.isAsExpected != nil }
        let agreeing = judged.count { $0.isAsExpected == true }
        var text = "\(self.cells.count { $0.layer != nil }) of \(self.cells.count) pairs connect, \(self.cells.count(where: \.isDirect)) directly"
        if !judged.isEmpty { text += "; \(agreeing) of \(judged.count) as the yardstick says" }
        if let median = MatrixCell.median(self.cells.compactMap(\.directMilliseconds)) { text += "; median time to direct \(Int(median.rounded())) ms" }
        return text
    }

    public var json: JSONObject {
        [
            "event": "matrix", "rows": .array(self.rows.map { .string($0.rawValue) }), "columns": .array(self.columns.map { .string($0.rawValue) }),
            "cells": .array(self.cells.map { .object($0.json) }), "summary": .string(self.summary),
        ]
    }

    private func table(_ content: (MatrixCell) -> String) -> String {
        var lines = [["A \\ B"] + self.columns.map(\.shortName)]
        for row in self.rows {
            lines.append(
                [row.rawValue]
                    + self.columns.map { column in self.cells.first { $0.row == row && $0.column == column }.map(content) ?? "" })
        }
        let widths = lines[0].indices.map { index in max(3, lines.map { TerminalText.width(of: $0[index]) }.max() ?? 0) }
        func text(_ line: [String]) -> String { "| " + zip(line, widths).map { TerminalText.padded($0, to: $1) }.joined(separator: " | ") + " |" }
        let rule = "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"
        return ([text(lines[0]), rule] + lines.dropFirst().map(text)).joined(separator: "\n")
    }
}
