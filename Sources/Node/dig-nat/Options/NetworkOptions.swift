import ArgumentParser
import DIGCommandLine

/// What commands that go to the network understand.
struct NetworkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Setting: \(Setting.listen.explanation). May be repeated; \"\" listens nowhere.", valueName: "multiaddress"))
    var listen: [String] = []

    @Option(help: ArgumentHelp("Setting: \(Setting.uploadRate.explanation).", valueName: "rate"))
    var uploadRate: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.downloadRate.explanation).", valueName: "rate"))
    var downloadRate: String?

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.localDiscovery.explanation)."))
    var localDiscovery: Bool?

    @Option(help: ArgumentHelp("Setting: \(Setting.maximumConnections.explanation).", valueName: "count"))
    var maxConnections: String?

    @Option(name: .customLong("relay"), help: ArgumentHelp("Setting relays: \(Setting.relays.explanation). May be repeated; ends with /p2p/PEER.", valueName: "multiaddress"))
    var relays: [String] = []

    @Option(help: ArgumentHelp("Setting: \(Setting.stun.explanation). May be repeated.", valueName: "server"))
    var stun: [String] = []

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.portMapping.explanation)."))
    var portMapping: Bool?

    @Option(help: ArgumentHelp("Setting: \(Setting.relayDuty.explanation).", valueName: "when"))
    var serveRelay: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.relayRate.explanation).", valueName: "rate"))
    var relayRate: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.relayDaily.explanation).", valueName: "bytes"))
    var relayDaily: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.traversalMode.explanation).", valueName: "order"))
    var traversal: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.methods.explanation).", valueName: "list"))
    var methods: String?

    @Option(name: .customLong("bootstrap"), help: ArgumentHelp("Setting: \(Setting.bootstrap.explanation). May be repeated.", valueName: "multiaddress"))
    var bootstrap: [String] = []

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.dht.explanation)."))
    var dht: Bool?

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.publicDHT.explanation)."))
    var publicDht: Bool?

    @Option(help: ArgumentHelp("Setting: \(Setting.dhtDuty.explanation).", valueName: "when"))
    var serveDht: String?

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.peerExchange.explanation)."))
    var pex: Bool?

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.gossip.explanation)."))
    var gossip: Bool?

    @Option(help: ArgumentHelp("Setting: \(Setting.gun.explanation). May be repeated.", valueName: "url"))
    var gun: [String] = []

    @Option(help: ArgumentHelp("Setting: \(Setting.gunListen.explanation). May be repeated.", valueName: "address"))
    var gunListen: [String] = []

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.announce.explanation)."))
    var announce: Bool?

    @Option(name: .customLong("network"), help: ArgumentHelp("Setting: \(Setting.privateNetwork.explanation).", valueName: "name"))
    var privateNetwork: String?

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.requireAuthentication.explanation)."))
    var requireAuthentication: Bool?

    @Flag(inversion: .prefixedNo, help: ArgumentHelp("Setting: \(Setting.anonymous.explanation)."))
    var anonymous: Bool?

    @Option(help: ArgumentHelp("Setting: \(Setting.tlsCertificate.explanation).", valueName: "path"), completion: .file())
    var tlsCertificate: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.tlsKey.explanation).", valueName: "path"), completion: .file())
    var tlsKey: String?

    var settings: [Setting: String] {
        var settings: [Setting: String] = [:]
        if !self.listen.isEmpty { settings[.listen] = self.listen.joined(separator: ",") }
        settings[.uploadRate] = self.uploadRate
        settings[.downloadRate] = self.downloadRate
        settings[.localDiscovery] = self.localDiscovery.map { $0 ? "true" : "false" }
        settings[.maximumConnections] = self.maxConnections
        if !self.relays.isEmpty { settings[.relays] = self.relays.joined(separator: ",") }
        if !self.stun.isEmpty { settings[.stun] = self.stun.joined(separator: ",") }
        settings[.portMapping] = self.portMapping.map { $0 ? "true" : "false" }
        settings[.relayDuty] = self.serveRelay
        settings[.tlsCertificate] = self.tlsCertificate
        settings[.tlsKey] = self.tlsKey
        settings[.relayRate] = self.relayRate
        settings[.relayDaily] = self.relayDaily
        settings[.traversalMode] = self.traversal
        settings[.methods] = self.methods
        if !self.bootstrap.isEmpty { settings[.bootstrap] = self.bootstrap.joined(separator: ",") }
        settings[.dht] = self.dht.map { $0 ? "true" : "false" }
        settings[.publicDHT] = self.publicDht.map { $0 ? "true" : "false" }
        settings[.dhtDuty] = self.serveDht
        settings[.peerExchange] = self.pex.map { $0 ? "true" : "false" }
        settings[.gossip] = self.gossip.map { $0 ? "true" : "false" }
        if !self.gun.isEmpty { settings[.gun] = self.gun.joined(separator: ",") }
        if !self.gunListen.isEmpty { settings[.gunListen] = self.gunListen.joined(separator: ",") }
        settings[.announce] = self.announce.map { $0 ? "true" : "false" }
        settings[.privateNetwork] = self.privateNetwork
        settings[.requireAuthentication] = self.requireAuthentication.map { $0 ? "true" : "false" }
        settings[.anonymous] = self.anonymous.map { $0 ? "true" : "false" }
        return settings
    }
}
