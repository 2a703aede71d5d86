import DIGGun
import Foundation
import GRDB

/// A key of a node with its value and state, as the columns of a row.
struct StoredGunEntry: Hashable {
    private enum Kind: Int64 { case null, no, yes, number, text, link }

    let key: Data
    let kind: Int64
    /// Nil for null and the truth values; eight bytes for a number, most significant first; UTF-8 for the rest.
    let value: Data?
    /// The bits of the double.
    let state: Int64

    var byteCount: Int { self.key.count + (self.value?.count ?? 0) + 16 }

    init(key: ExactText, entry: GunEntry) {
        self.key = key.data
        let kind: Kind
        switch entry.value {
        case .null: (kind, self.value) = (.null, nil)
        case .bool(let bool): (kind, self.value) = (bool ? .yes : .no, nil)
        case .number(let number):
            (kind, self.value) = (.number, withUnsafeBytes(of: number.bitPattern.bigEndian) { Data($0) })
        case .text(let text): (kind, self.value) = (.text, text.data)
        case .link(let soul): (kind, self.value) = (.link, soul.data)
        }
        self.kind = kind.rawValue
        self.state = Int64(bitPattern: entry.state.bitPattern)
    }

    /// - Parameter row: `key`, `kind`, `value`, `state`.
    /// - Returns: Nil if a column is of another type, as in a damaged file.
    init?(row: Row) {
        guard row.count == 4, case .blob(let key) = (row[0] as DatabaseValue).storage, case .int64(let kind) = (row[1] as DatabaseValue).storage,
            case .int64(let state) = (row[3] as DatabaseValue).storage
        else { return nil }
        switch (row[2] as DatabaseValue).storage {
        case .blob(let value): self.value = value
        case .null: self.value = nil
        case .int64, .double, .string: return nil
        }
        (self.key, self.kind, self.state) = (key, kind, state)
    }

    /// Nil for what is none of GUN.
    var entry: (ExactText, GunEntry)? {
        let state = Double(bitPattern: UInt64(bitPattern: self.state))
        guard let key = ExactText(utf8: self.key), state.isFinite, let kind = Kind(rawValue: self.kind), let value = self.gunValue(kind) else { return nil }
        return (key, GunEntry(value, state: state))
    }

    private func gunValue(_ kind: Kind) -> GunValue? {
        switch (kind, self.value) {
        case (.null, nil): return .null
        case (.no, nil): return .bool(false)
        case (.yes, nil): return .bool(true)
        case (.number, let value?):
            guard value.count == 8 else { return nil }
            let number = Double(bitPattern: value.reduce(0) { $0 << 8 | UInt64($1) })
            return number.isFinite ? .number(number) : nil
        case (.text, let value?): return ExactText(utf8: value).map { .text($0) }
        case (.link, let value?): return ExactText(utf8: value).map { .link($0) }
        default: return nil
        }
    }
}

extension ExactText {
    var data: Data { Data(self.string.utf8) }

    /// Nil if `utf8` is not valid.
    fileprivate init?(utf8: Data) {
        guard let string = String(validating: utf8, as: UTF8.self) else { return nil }
        self.init(string)
    }
}

extension DatabaseValue {
    /// Nil if this is no blob of UTF-8.
    var exactText: ExactText? {
        guard case .blob(let data) = self.storage else { return nil }
        return ExactText(utf8: data)
    }
}
