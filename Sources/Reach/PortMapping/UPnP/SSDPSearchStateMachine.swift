import DIGMultiformats

/// Looks for the gateway's UPnP services by multicast (UPnP Device Architecture 1.1 §1.3.2).
///
/// An answer counts if it comes from the gateway and its location is there, too: neither another host of the local network nor a gateway that lies can
/// make us call a third party.
struct SSDPSearchStateMachine {
    typealias Instant = ContinuousClock.Instant

    /// Ours: the number of different descriptions that are looked at.
    static let maximumCandidateCount = 4
    /// Ours: answers beyond this many are not even read.
    static let maximumAnswerCount = 64
    /// UDP is lossy: the search is sent three times.
    static let transmissionTimes: [Duration] = [.zero, .milliseconds(400), .milliseconds(1200)]
    /// UPnP Device Architecture 1.1 §1.3.2: devices spread their answers over this many seconds.
    static let maximumWaitSeconds = 1
    /// Ours: how long other answers are waited for after the first.
    static let settlingTime: Duration = .milliseconds(50)

    static let searchTargets = [
        "urn:schemas-upnp-org:device:InternetGatewayDevice:2", "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:service:WANIPConnection:1", "urn:schemas-upnp-org:service:WANPPPConnection:1",
    ]

    enum Action: Hashable {
        /// Send ``request(for:host:)`` for every target.
        case search
        case finish([GatewayURL])
        case none
    }

    private let gateway: IPv4Address
    private let start: Instant
    private var transmissionCount = 0
    private var answerCount = 0
    private var candidates: [GatewayURL] = []
    private var finishAt: Instant
    private var isFinished = false

    init(gateway: IPv4Address, now: Instant, timeout: Duration) {
        self.gateway = gateway
        self.start = now
        self.finishAt = now + timeout
    }

    /// nil once finished.
    var deadline: Instant? {
        guard !self.isFinished else { return nil }
        guard self.transmissionCount < Self.transmissionTimes.count else { return self.finishAt }
        return min(self.finishAt, self.start + Self.transmissionTimes[self.transmissionCount])
    }

    mutating func deadlineReached(now: Instant) -> Action {
        guard let deadline, now >= deadline else { return .none }
        if now >= self.finishAt {
            self.isFinished = true
            return .finish(self.candidates)
        }
        self.transmissionCount += 1
        return .search
    }

    /// - Returns: A location that is refused because it is not on the gateway, which names it.
    @discardableResult
    mutating func received(_ datagram: [UInt8], from source: IPv4Address, now: Instant) -> GatewayURL? {
        guard source == self.gateway, !self.isFinished, self.answerCount < Self.maximumAnswerCount else { return nil }
        self.answerCount += 1
        guard let response = SSDPResponse(datagram) else { return nil }
        guard response.location.host == source else { return response.location }
        guard !self.candidates.contains(response.location), self.candidates.count < Self.maximumCandidateCount else { return nil }
        self.candidates.append(response.location)
        self.finishAt = min(self.finishAt, now + Self.settlingTime)
        return nil
    }

    static func request(for target: String, host: String) -> String {
        "M-SEARCH * HTTP/1.1\r\nHOST: \(host)\r\nMAN: \"ssdp:discover\"\r\nMX: \(Self.maximumWaitSeconds)\r\nST: \(target)\r\n\r\n"
    }
}
