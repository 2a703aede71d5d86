import DIGAnnouncement
import DIGCommandLine
import DIGContent
import DIGDiscovery
import DIGNatTools

/// Says by which ways what is shared can be found: when each has had its try, and again when one more has succeeded.
actor AnnouncementWatch {
    /// Contents looked after, and said to a person; the status line says how many are announced.
    private static let maximumCount = 100
    private static let interval: Duration = .seconds(2)

    private let network: NetworkManager
    private let console: Console
    private var names: [ContentHash: String] = [:]
    private var told: [ContentHash: Set<DiscoverySource>] = [:]

    init(network: NetworkManager, console: Console) {
        self.network = network
        self.console = console
    }

    func add(_ hash: ContentHash, name: String) { self.names[hash] = name }

    /// What has become of a content at its first announcement.
    func announced(_ hash: ContentHash, _ report: AnnouncementReport) { self.tell(hash, report) }

    /// Looks again until cancelled.
    func run() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: Self.interval) } catch { return }
            for hash in self.names.keys.prefix(Self.maximumCount) {
                guard let report = self.network.discovery.manager.announcement(of: RendezvousKey(hash)) else { continue }
                if !Self.news(report, told: self.told[hash]).isEmpty { self.tell(hash, report) }
            }
        }
    }

    private func tell(_ hash: ContentHash, _ report: AnnouncementReport) {
        self.told[hash, default: []].formUnion(Self.news(report, told: nil))
        let name = self.names[hash] ?? hash.description
        if self.told.count <= Self.maximumCount { self.console.note(AnnouncementText.line(report, name: name)) }
        self.console.event(AnnouncementText.event(report, hash: hash, name: name))
    }

    /// The ways by which it can be found, without those that were told.
    static func news(_ report: AnnouncementReport, told: Set<DiscoverySource>?) -> Set<DiscoverySource> {
        Set(report.entries.lazy.filter { AnnouncementText.isFindable($0.outcome) }.map(\.source)).subtracting(told ?? [])
    }
}
