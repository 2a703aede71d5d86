import Foundation
import Testing

@testable import DIGGun

/// A recording of frames.
struct Fixture {
    struct Frame {
        var time: Double
        var connection: String
        /// Towards the relay.
        var isInput: Bool
        var raw: String
    }

    enum Line {
        case note(GunJSON)
        case frame(Frame)
    }

    var lines: [Line] = []

    init(_ name: String) throws {
        let url = try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: "jsonl"))
        let text = try String(contentsOf: url, encoding: .utf8)
        for line in text.split(separator: "\n") {
            let json = try GunJSONReader.read(Array(line.utf8), limits: GunJSONLimits(stringByteCount: 1_000_000))
            guard let raw = json["raw"]?.text?.string, case .number(let time)? = json["t"], let connection = json["conn"]?.text?.string else {
                self.lines.append(.note(json))
                continue
            }
            self.lines.append(.frame(Frame(time: time, connection: connection, isInput: json["dir"]?.text == ">", raw: raw)))
        }
    }

    var frames: [Frame] {
        self.lines.compactMap { line in
            guard case .frame(let frame) = line else { return nil }
            return frame
        }
    }
}
