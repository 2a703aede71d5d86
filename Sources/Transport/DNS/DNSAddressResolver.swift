public import DIGIdentity
public import DIGMultiformats
public import DIGNet

/// Finds what `/dnsaddr/example.org/p2p/…` stands for: the multiaddrs in the TXT records `dnsaddr=…` of `_dnsaddr.example.org`
/// (libp2p specs, addressing, "Resolving dnsaddr").
///
/// A record may be a `/dnsaddr/…` address itself. The depth, the names asked for, the addresses and the time are bounded, see
/// ``DNSConfiguration``, and no name is asked for twice with the same end, so records that lead in circles end.
public struct DNSAddressResolver: AddressResolver {
    static let attributeKey = "dnsaddr="
    static let prefix = "_dnsaddr."

    private let configuration: DNSConfiguration
    private let source: any TextRecordSource

    public init(configuration: DNSConfiguration = .init()) {
        self.init(configuration: configuration, source: SystemTextRecords(configuration: configuration))
    }

    init(configuration: DNSConfiguration, source: any TextRecordSource) {
        self.configuration = configuration
        self.source = source
    }

    /// A name to ask for, and what addresses must end with.
    private struct Question: Hashable, Sendable {
        /// In lower case.
        var name: String
        var suffix: [Multiaddr.Component]
    }

    /// - Throws: ``DNSError``: why the first name that could not be asked for could not, or `.notFound`; `CancellationError`.
    public func addresses(behind address: Multiaddr, of peer: PeerID?) async throws -> [Multiaddr] {
        guard let first = Self.question(address) else { return [address] }
        let deadline = ContinuousClock.now + self.configuration.timeout
        var found: [Multiaddr] = []
        var asked: Set<Question> = [first]
        var due = [first]
        var failure: DNSError?
        var depth = 0
        while !due.isEmpty {
            guard depth < self.configuration.maximumDepth else {
                failure = failure ?? DNSError(.notFound, "\(address) leads to more than \(self.configuration.maximumDepth) names behind one another")
                break
            }
            depth += 1
            var next: [Question] = []
            for (question, answer) in zip(due, try await self.ask(due, until: deadline)) {
                let texts: [[UInt8]]
                switch answer {
                case .success(let answered): texts = answered
                case .failure(let error):
                    failure = failure ?? error
                    continue
                }
                for text in texts {
                    guard let address = Self.address(in: text), address.components.hasSuffix(question.suffix),
                        peer == nil || address.peerID == nil || address.peerID == peer
                    else { continue }
                    if let further = Self.question(address) {
                        guard asked.count < self.configuration.maximumNames, asked.insert(further).inserted else { continue }
                        next.append(further)
                    } else if !address.components.contains(where: \.isDNSAddr), !found.contains(address) {
                        guard found.count < self.configuration.maximumAddresses else { return found }
                        found.append(address)
                    }
                }
            }
            due = next
        }
        guard !found.isEmpty else { throw failure ?? DNSError(.notFound, "no TXT record of \(Self.prefix)\(first.name) is an address that fits") }
        return found
    }

    /// All at once; the answers in the order of the questions.
    private func ask(_ questions: [Question], until deadline: ContinuousClock.Instant) async throws -> [Result<[[UInt8]], DNSError>] {
        try await withThrowingTaskGroup(of: (Int, Result<[[UInt8]], DNSError>).self) { group in
            for (index, question) in questions.enumerated() {
                group.addTask {
                    guard let name = Self.name(of: question.name) else {
                        return (index, .failure(DNSError(.invalidName, "\"\(question.name)\" is no name that can be asked for")))
                    }
                    do {
                        return (index, .success(try await self.source.texts(of: name, until: deadline)))
                    } catch let error as DNSError {
                        return (index, .failure(error))
                    }
                }
            }
            var answers = [Result<[[UInt8]], DNSError>](repeating: .success([]), count: questions.count)
            for try await (index, answer) in group { answers[index] = answer }
            return answers
        }
    }

    private static func question(_ address: Multiaddr) -> Question? {
        guard case .dnsaddr(let name)? = address.components.first else { return nil }
        return Question(name: name.lowercased(), suffix: Array(address.components.dropFirst()))
    }

    /// The address in a TXT record; nil if it is about something else, or none.
    private static func address(in text: [UInt8]) -> Multiaddr? {
        guard text.starts(with: Self.attributeKey.utf8), let string = String(validating: text.dropFirst(Self.attributeKey.utf8.count), as: UTF8.self)
        else { return nil }
        do throws(MultiaddrError) { return try Multiaddr(string) } catch { return nil }
    }

    /// What to ask for; nil unless it is a domain name, which no code has to have checked before (RFC 1035 §2.3.4).
    private static func name(of name: String) -> String? {
        let full = Self.prefix + name
        let isValid = full.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count)
                && label.allSatisfy { character in
                    switch character {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                    default: false
                    }
                }
        }
        return isValid && full.utf8.count <= 253 ? full : nil
    }
}

extension [Multiaddr.Component] {
    fileprivate func hasSuffix(_ suffix: Self) -> Bool { self.suffix(suffix.count).elementsEqual(suffix) }
}

extension Multiaddr.Component {
    fileprivate var isDNSAddr: Bool { if case .dnsaddr = self { true } else { false } }
}
