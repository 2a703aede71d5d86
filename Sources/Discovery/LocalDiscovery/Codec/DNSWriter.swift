import DIGMultiformats

/// Writes a DNS message.
struct DNSWriter {
    private(set) var bytes: [UInt8] = []
    /// Where each name already written begins.
    private var places: [DNSName: UInt16] = [:]

    mutating func write(_ message: DNSMessage) {
        self.write(message.identifier)
        // QR; AA in every response (RFC 6762 §18.4); TC.
        self.write((message.isResponse ? 0x8400 : 0) | (message.isTruncated ? 0x0200 : 0) as UInt16)
        for count in [message.questions.count, message.answers.count, 0, message.additionals.count] {
            self.write(UInt16(truncatingIfNeeded: count))
        }
        for question in message.questions {
            self.write(question.name)
            self.write(question.type.rawValue)
            self.write(question.prefersUnicast ? 0x8001 : 1 as UInt16)
        }
        for record in message.answers + message.additionals { self.write(record) }
    }

    private mutating func write(_ record: DNSRecord) {
        self.write(record.name)
        self.write(record.type.rawValue)
        self.write(record.flushesCache ? 0x8001 : 1 as UInt16)
        self.write(UInt16(truncatingIfNeeded: record.lifetimeSeconds >> 16))
        self.write(UInt16(truncatingIfNeeded: record.lifetimeSeconds))
        let lengthPlace = self.bytes.count
        self.write(0 as UInt16)
        switch record.value {
        case .pointer(let name): self.write(name)
        case .text(let strings):
            for string in strings.isEmpty ? [[]] : strings {
                let string = string.prefix(255)
                self.bytes.append(UInt8(truncatingIfNeeded: string.count))
                self.bytes += string
            }
        case .service(let port, let target):
            self.bytes += [0, 0, 0, 0]
            self.write(port)
            self.write(target)
        case .a(let address): self.bytes += address.bytes
        case .aaaa(let address): self.bytes += address.bytes
        case .other: break
        }
        let count = self.bytes.count - lengthPlace - 2
        self.bytes[lengthPlace] = UInt8(truncatingIfNeeded: count >> 8)
        self.bytes[lengthPlace + 1] = UInt8(truncatingIfNeeded: count)
    }

    private mutating func write(_ name: DNSName) {
        var rest = name
        while let label = rest.labels.first, let parent = rest.parent {
            if let place = self.places[rest] {
                self.write(0xc000 | place)
                return
            }
            // A pointer has fourteen bits.
            if self.bytes.count < 0x4000 { self.places[rest] = UInt16(truncatingIfNeeded: self.bytes.count) }
            self.bytes.append(UInt8(truncatingIfNeeded: label.count))
            self.bytes += label
            rest = parent
        }
        self.bytes.append(0)
    }

    private mutating func write(_ value: UInt16) {
        self.bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        self.bytes.append(UInt8(truncatingIfNeeded: value))
    }
}
