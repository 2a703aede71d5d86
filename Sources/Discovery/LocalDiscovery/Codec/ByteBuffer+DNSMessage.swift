import DIGMultiformats
import NIOCore

extension ByteBuffer {
    /// RFC 6762 §17: no message is longer, headers of IP and UDP included.
    static let maximumDNSMessageByteCount = 9000
    /// Ours: questions in one message.
    static let maximumDNSQuestionCount = 64
    /// Ours: records in one message, all sections together.
    static let maximumDNSRecordCount = 256

    /// Decodes the whole buffer as one message; bytes behind the last record are ignored.
    ///
    /// - Throws: ``DNSDecodingError``.
    func decodeDNSMessage() throws(DNSDecodingError) -> DNSMessage {
        guard self.readableBytes <= Self.maximumDNSMessageByteCount else { throw .limitExceeded }
        var reader = DNSReader(bytes: Array(self.readableBytesView))
        let identifier = try reader.readUInt16()
        let flags = try reader.readUInt16()
        // RFC 6762 §18.3, §18.11: other operations and errors are silently ignored.
        guard flags & 0x780f == 0 else { throw .notAQuery }
        let questionCount = Int(try reader.readUInt16())
        let answerCount = Int(try reader.readUInt16())
        let authorityCount = Int(try reader.readUInt16())
        let additionalCount = Int(try reader.readUInt16())
        guard questionCount <= Self.maximumDNSQuestionCount,
            answerCount + authorityCount + additionalCount <= Self.maximumDNSRecordCount
        else { throw .limitExceeded }

        var message = DNSMessage(identifier: identifier, isResponse: flags & 0x8000 != 0, isTruncated: flags & 0x0200 != 0)
        for _ in 0..<questionCount {
            let name = try reader.readName()
            let type = DNSRecordType(rawValue: try reader.readUInt16())
            let questionClass = try reader.readUInt16()
            // Class IN, or any; the top bit is not part of it (RFC 6762 §18.12).
            guard [1, 255].contains(questionClass & 0x7fff) else { continue }
            message.questions.append(DNSQuestion(name: name, type: type, prefersUnicast: questionClass & 0x8000 != 0))
        }
        for index in 0..<(answerCount + authorityCount + additionalCount) {
            guard let record = try reader.readRecord() else { continue }
            if index < answerCount {
                message.answers.append(record)
            } else if index >= answerCount + authorityCount {
                message.additionals.append(record)
            }
        }
        return message
    }

    /// Appends `message`, with names shortened to pointers where they repeat (RFC 1035 §4.1.4).
    mutating func writeDNSMessage(_ message: DNSMessage) {
        var writer = DNSWriter()
        writer.write(message)
        self.writeBytes(writer.bytes)
    }
}
