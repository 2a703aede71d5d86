import Foundation

/// What other software wrote.
enum Fixture {
    struct Missing: Error {
        var name: String
    }

    static func text(_ name: String) throws -> String {
        guard let folder = Bundle.module.url(forResource: "Fixtures", withExtension: nil) else { throw Missing(name: name) }
        return try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
    }
}
