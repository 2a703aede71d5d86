import DIGMultiformats
import DIGNet
import NIOCore

/// Limits and tokens of multistream-select 1.0 (libp2p connections spec, "multistream-select").
enum MultistreamWire {
    static let header = "/multistream/1.0.0"
    static let notAvailable = "na"
    static let list = "ls"
    /// Ours: the longest message, with its newline. Real protocol names have some thirty bytes.
    static let maximumMessageLength = 1024
}

extension ByteBuffer {
    /// Reads one message: a varint length, then that many bytes, of which the last is a newline.
    ///
    /// - Returns: `nil`, with nothing consumed, while the message is incomplete.
    /// - Throws: ``MultistreamDecodingError`` as soon as the bytes at hand cannot become a message.
    mutating func readMultistreamMessage() throws(MultistreamDecodingError) -> MultistreamMessage? {
        var copy = self
        let length: UInt64
        do {
            length = try copy.readUnsignedVarint()
        } catch {
            // A length within the limit has at most two bytes, so only a single one can be waiting for more.
            guard error == .truncated, self.readableBytes < 2 else { throw .invalidLength }
            return nil
        }
        guard length >= 1, length <= UInt64(MultistreamWire.maximumMessageLength) else { throw .invalidLength }
        guard let line = copy.readBytes(length: Int(length)) else { return nil }
        guard line.last == UInt8(ascii: "\n") else { throw .missingNewline }
        // Only the answer to `ls` has more than one line; nobody here asks for it.
        guard let text = String(validating: line.dropLast(), as: UTF8.self), !text.isEmpty else { throw .invalidText }
        self = copy
        switch text {
        case MultistreamWire.header: return .header
        case MultistreamWire.notAvailable: return .notAvailable
        case MultistreamWire.list: return .list
        default: return .protocolID(ProtocolID(text))
        }
    }

    /// Writes one message with its length prefix and newline.
    mutating func writeMultistreamMessage(_ message: MultistreamMessage) {
        switch message {
        case .header: self.writeMultistreamLine(MultistreamWire.header)
        case .notAvailable: self.writeMultistreamLine(MultistreamWire.notAvailable)
        case .list: self.writeMultistreamLine(MultistreamWire.list)
        case .protocolID(let id): self.writeMultistreamLine(id.rawValue)
        case .protocols(let ids):
            // Each name is a message of its own inside the message. What exceeds the limit is left out.
            var lines = ByteBuffer()
            for id in ids where lines.readableBytes + id.rawValue.utf8.count + 3 < MultistreamWire.maximumMessageLength {
                lines.writeMultistreamLine(id.rawValue)
            }
            self.writeUnsignedVarint(UInt64(lines.readableBytes + 1))
            self.writeBuffer(&lines)
            self.writeInteger(UInt8(ascii: "\n"))
        }
    }

    private mutating func writeMultistreamLine(_ text: String) {
        self.writeUnsignedVarint(UInt64(text.utf8.count + 1))
        self.writeString(text)
        self.writeInteger(UInt8(ascii: "\n"))
    }
}
