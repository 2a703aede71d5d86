import Foundation

/// What is shared: no two blocks are equal, and every packet that carried a piece of it in the clear would show ``marker``.
struct LabFile: Sendable {
    static let marker = Data("no-relay-may-read-this-".utf8)

    let data: Data

    init(byteCount: Int) {
        var data = Data(capacity: byteCount + 64)
        var line: UInt64 = 0
        while data.count < byteCount {
            data.append(Self.marker)
            data.append(contentsOf: String(line, radix: 36).utf8)
            data.append(UInt8(ascii: "\n"))
            line += 1
        }
        self.data = data.prefix(byteCount)
    }

    static func mebibytes(_ count: Int) -> LabFile { LabFile(byteCount: count << 20) }
}
