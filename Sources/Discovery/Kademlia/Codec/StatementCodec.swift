import SwiftProtobuf

enum StatementCodec {
    static func serialize(_ message: some SwiftProtobuf.Message) -> [UInt8] {
        // Serializing fails for missing required fields only, and there are none.
        do { return try message.serializedBytes() } catch { preconditionFailure("\(error)") }
    }
}
