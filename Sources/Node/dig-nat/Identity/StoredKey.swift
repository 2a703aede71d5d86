import DIGCommandLine
import DIGIdentity
import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Puts a key in the place of the node's key. The old one stays beside it.
struct StoredKey {
    enum Outcome: Hashable {
        /// There was none.
        case created
        /// It is the node's key already.
        case unchanged
        /// The old one is in this file.
        case replaced(backup: String)
    }

    let path: String

    /// - Parameter replaces: Whether another key that is there makes room; otherwise it is left as it is.
    /// - Throws: ``CommandFailure`` if another key is there and is not to be replaced, `KeyFileError`.
    func store(_ key: KeyPair, replaces: Bool, now: Date = Date()) throws -> Outcome {
        let file = KeyFile(path: self.path)
        var current: KeyPair?
        do throws(KeyFileError) { current = try file.load() } catch {
            if error.code == .notFound {
                try file.create(key)
                return .created
            }
            // What is there and cannot be read is not lost either.
            guard replaces else { throw error }
        }
        if let current, current.publicKey == key.publicKey { return .unchanged }
        guard replaces else {
            throw CommandFailure(
                .disk, "this node has a key already, that of \(current.map { "\($0.peerID)" } ?? "somebody")",
                details: ["key file  \(self.path)", "others know the node, and what it shares, by that key"],
                next: "say --replace to change it; the old key is kept beside the new one")
        }
        return .replaced(backup: try self.replace(with: key, now: now))
    }

    /// In this order, so that at every moment there is a whole key in its place, and the old one is somewhere.
    private func replace(with key: KeyPair, now: Date) throws -> String {
        let temporary = "\(self.path).new-\(UInt32.random(in: 0 ... .max))"
        try KeyFile(path: temporary).create(key)
        do {
            let backup = try self.keepOld(now: now)
            guard rename(temporary, self.path) == 0 else { throw self.failure("cannot be put in place") }
            return backup
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// - Returns: A new name of the old key.
    private func keepOld(now: Date) throws -> String {
        let stamp = now.formatted(.iso8601.dateSeparator(.omitted).timeSeparator(.omitted))
        for number in 1...100 {
            let name = "\(self.path).until-\(stamp)\(number == 1 ? "" : "-\(number)")"
            // Unlike rename(2), link(2) never replaces a file.
            if link(self.path, name) == 0 { return name }
            guard errno == EEXIST else { break }
        }
        throw self.failure("cannot be kept under another name")
    }

    private func failure(_ what: String) -> CommandFailure {
        CommandFailure(.disk, "the key file \(self.path) \(what): \(String(cString: strerror(errno)))", next: "check the permissions of its directory, or choose another key with --key-file")
    }
}
