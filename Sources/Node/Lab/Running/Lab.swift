#if os(Linux)
import Foundation
import Glibc

/// An internet of network namespaces on this machine, standing until ``down()``.
///
/// ```swift
/// let lab = try await Lab.up(plan)
/// let node = try await lab.host("relay").start(["dig-nat", "node"])
/// let result = try await lab.host("a").run(["dig-nat", "get", link])
/// await lab.down()
/// ```
///
/// Several may stand at once: each has an ID of its own in the names of its namespaces, and addresses do not meet.
public actor Lab {
    public nonisolated let id: String
    private nonisolated let store: LabStore
    private nonisolated let executable: String
    private nonisolated let progress: @Sendable (String) -> Void
    private var record: LabRecord
    private var blueprint: Blueprint
    private var isDown = false
    /// Started here and perhaps still running.
    private var processes: [LabProcess] = []

    private init(record: LabRecord, blueprint: Blueprint, executable: String, store: LabStore, progress: @escaping @Sendable (String) -> Void) {
        self.id = record.id
        self.record = record
        self.blueprint = blueprint
        self.executable = executable
        self.store = store
        self.progress = progress
    }

    // MARK: Up and down

    /// Whether this process may build labs.
    public static var isPermitted: Bool { geteuid() == 0 }

    /// Builds the internet that `plan` describes, and starts the lab's own daemons in it: the probe server, delays, port mapping.
    ///
    /// - Throws: ``LabError``; `CancellationError`. Nothing is left behind then.
    public static func up(_ plan: LabPlan, options: LabOptions = LabOptions()) async throws -> Lab {
        let blueprint = try Blueprint(plan)
        let executable = try self.requirements(for: blueprint.plan, executable: options.executable)
        let store = LabStore.standard
        _ = await self.removeLeftovers()

        let record = try await Blocking.run { () throws(LabError) -> LabRecord in
            let id = try store.reserve()
            let record = LabRecord(id: id, isStanding: options.isStanding, owner: .current, created: Date(), title: options.title, plan: plan, reboots: [:])
            do throws(LabError) {
                try store.save(record)
            } catch {
                store.remove(id)
                throw error
            }
            return record
        }
        let lab = Lab(record: record, blueprint: blueprint, executable: executable, store: store, progress: options.progress)
        do {
            try await lab.build()
            return lab
        } catch {
            await lab.down()
            throw error
        }
    }

    /// Builds a lab, hands it to `body` and takes it down, however `body` ends.
    public static func with<T: Sendable>(_ plan: LabPlan, options: LabOptions = LabOptions(), _ body: @Sendable (Lab) async throws -> T) async throws -> T {
        let lab = try await self.up(plan, options: options)
        do {
            let result = try await body(lab)
            await lab.down()
            return result
        } catch {
            await lab.down()
            throw error
        }
    }

    /// A lab that stands already.
    ///
    /// - Parameter id: `nil` if there is only one standing.
    /// - Throws: ``LabError`` with `.unknownName`.
    public static func attach(_ id: String? = nil, options: LabOptions = LabOptions()) async throws(LabError) -> Lab {
        try self.requireMeans()
        let store = LabStore.standard
        let record: LabRecord
        if let id {
            guard LabRecord.isID(id), let found = store.record(of: id) else {
                throw LabError.unknown("lab", id, among: store.records.map(\.id))
            }
            record = found
        } else {
            let standing = store.records.filter(\.isStanding)
            guard let only = standing.first else { throw LabError(.unknownName, "no lab is standing; natlab up FILE builds one") }
            guard standing.count == 1 else {
                throw LabError(
                    .unknownName, "\(standing.count) labs are standing: \(standing.map(\.id).joined(separator: ", ")); say which (natlab down ID, --lab ID for the other commands)")
            }
            record = only
        }
        var blueprint = try Blueprint(record.plan)
        for (machine, count) in record.reboots { for _ in 0..<count % 2 { blueprint.reboot(machine: machine) } }
        return Lab(record: record, blueprint: blueprint, executable: try LabExecutable.find(options.executable), store: store, progress: options.progress)
    }

    /// Ends everything that runs in the lab's namespaces and deletes them. Goes through to the end also in a cancelled task.
    public func down() async {
        self.isDown = true
        let (id, store, processes) = (self.id, self.store, self.processes)
        self.processes = []
        // By their own numbers as well: one that was started a moment ago may not have entered its namespace yet.
        for process in processes { process.send(signal: SIGTERM) }
        _ = try? await Blocking.run { () throws(LabError) in Namespaces.tearDown(id, store: store) }
        for process in processes { await process.terminate(grace: .milliseconds(100)) }
    }

    /// Every lab on this machine, with whether its owner is alive or it stands for a person.
    public static var records: [LabRecord] { LabStore.standard.records }

    /// Removes labs whose owner died without taking them down. Standing labs and those of living owners stay.
    ///
    /// - Returns: The IDs of those removed.
    public static func removeLeftovers() async -> [String] {
        guard self.isPermitted else { return [] }
        let removed = try? await Blocking.run { () throws(LabError) -> [String] in
            let store = LabStore.standard
            // Namespaces first: a lab that is being built has its record before its first namespace.
            let named = Set(Namespaces.all.compactMap(LabRecord.id(ofNamespace:)))
            let now = Date()
            let dead = named.union(store.ids).filter { id in
                if let record = store.record(of: id) { return !record.isStanding && !record.owner.isAlive }
                // Reserved, and the record not yet written.
                let made = (try? FileManager.default.attributesOfItem(atPath: store.folder(of: id)))?[.creationDate] as? Date
                    ?? (try? FileManager.default.attributesOfItem(atPath: store.folder(of: id)))?[.modificationDate] as? Date
                return made.map { now.timeIntervalSince($0) > 10 } ?? true
            }
            for id in dead { Namespaces.tearDown(id, store: store) }
            return dead.sorted()
        }
        return removed ?? []
    }

    /// - Throws: ``LabError`` with `.needsRoot` or `.missingTool` if this process can neither use labs nor take them down.
    public static func requireMeans() throws(LabError) {
        guard self.isPermitted else { throw self.notPermitted }
        try Tool.require([.ip])
    }

    private static let notPermitted = LabError(.needsRoot, "a lab is made of network namespaces and firewall rules: run this as root (sudo natlab …)")

    /// - Returns: The `natlab` executable.
    private static func requirements(for plan: LabPlan, executable: String?) throws(LabError) -> String {
        guard self.isPermitted else { throw self.notPermitted }
        var tools: [Tool] = [.ip, .nft]
        let links = plan.homes.map(\.link) + plan.carriers.map(\.link) + plan.publicHosts.map(\.link)
        if links.contains(where: { $0.up != nil || $0.down != nil }) { tools.append(.tc) }
        if plan.homes.contains(where: \.upnp) { tools.append(.miniupnpd) }
        try Tool.require(tools)
        return try LabExecutable.find(executable)
    }

    private func build() async throws {
        let (id, store, prefix, blueprint) = (self.id, self.store, self.record.prefix, self.blueprint)
        let machines = blueprint.machines
        self.progress("building \(machines.count) namespaces and \(blueprint.wires.count) cables (lab \(id))")
        try await Blocking.run { () throws(LabError) in
            let path = "\(store.scripts(of: id))/namespaces.ip"
            try Self.write(blueprint.creation(prefix: prefix).joined(separator: "\n") + "\n", to: path)
            try Tool.run([Tool.ip.rawValue, "-batch", path], what: "making the namespaces")
        }
        try Task.checkCancellation()
        try await self.runScripts(machines.map { ($0.name, "\($0.name).sh", $0.script) })
        try Task.checkCancellation()

        if !blueprint.delays.isEmpty {
            try await self.startDaemon([self.executable, "delay"] + blueprint.delays, on: "delay", log: "delay", ready: "delaying")
        }
        try await self.startDaemon([self.executable, "serve"] + Blueprint.probeAddresses + Blueprint.probeIPv6Addresses, on: "probe", log: "probe", ready: "serving")
        try Task.checkCancellation()
        let mapping = blueprint.routers.filter { $0.rules.upnp }
        if !mapping.isEmpty {
            self.progress("starting port mapping on \(mapping.map(\.machine).joined(separator: ", "))")
            for router in mapping { try await self.startPortMapping(on: router) }
        }
    }

    private static func write(_ text: String, to path: String) throws(LabError) {
        do {
            try text.write(toFile: path, atomically: false, encoding: .utf8)
        } catch {
            throw LabError(.stateUnusable, "\(path) can't be written: \(error.localizedDescription)")
        }
    }

    /// Runs a shell script in each namespace, several at a time, and reports the first that failed.
    private func runScripts(_ scripts: [(machine: String, file: String, text: String)]) async throws(LabError) {
        let (id, store, prefix) = (self.id, self.store, self.record.prefix)
        let failures = try await Blocking.run { () throws(LabError) -> [LabError] in
            let collected = Locked<[LabError]>([])
            Blocking.concurrently(
                limit: 4,
                scripts.map { script in
                    {
                        do throws(LabError) {
                            let path = "\(store.scripts(of: id))/\(script.file)"
                            try Self.write(script.text, to: path)
                            try Tool.run([Tool.ip.rawValue, "netns", "exec", prefix + script.machine, "sh", path], what: "setting up \(script.machine)")
                        } catch {
                            collected.withLock { $0.append(error) }
                        }
                    }
                })
            return collected.withLock { $0 }
        }
        if let first = failures.first { throw first }
    }

    // MARK: Daemons of the lab's own

    /// Starts a program that lives as long as the lab, and waits until its log says `ready`.
    private func startDaemon(_ command: [String], on machine: String, log: String, ready: String, timeout: Duration = .seconds(15)) async throws {
        let path = "\(self.store.log(of: self.id))/\(log).log"
        let arguments = [Tool.ip.rawValue, "netns", "exec", self.record.prefix + machine] + command
        let environment = self.environment(for: machine, adding: [:])
        let ended = Locked(false)
        try await Blocking.run { () throws(LabError) in
            let child = try Spawn.start(arguments, environment: environment, output: .file(path), newSession: true)
            Blocking.detach {
                Spawn.waitWithoutReaping(child.pid)
                _ = Spawn.reap(child.pid)
                ended.withLock { $0 = true }
            }
        }
        let deadline = ContinuousClock.now + timeout
        while true {
            let hasEnded = ended.withLock { $0 }
            let text = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
            if text.contains(ready) { return }
            guard !hasEnded, ContinuousClock.now < deadline else {
                let last = text.split(separator: "\n").suffix(3).joined(separator: " | ")
                throw LabError(.notReady, "\((command.first.map { ($0 as NSString).lastPathComponent }) ?? "") on \(machine) \(hasEnded ? "ended" : "is not ready"): \(last)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func startPortMapping(on router: Router) async throws {
        guard let miniupnpd = Tool.miniupnpd.path else { return }
        let folder = self.store.folder(of: self.id)
        let path = "\(folder)/\(router.machine).miniupnpd.conf"
        guard let text = router.portMappingConfiguration(leaseFile: "\(folder)/\(router.machine).leases") else { return }
        try Self.write(text, to: path)
        // STUN takes it 3 s, and 9 s where it is filtered.
        try await self.startDaemon(
            [miniupnpd, "-d", "-f", path, "-P", "\(folder)/\(router.machine).\(router.reboots).pid"], on: router.machine, log: "\(router.machine).miniupnpd.\(router.reboots)",
            ready: "Listening for NAT-PMP/PCP", timeout: .seconds(25))
    }

    // MARK: Hosts

    public var hosts: [HostAddress] { self.blueprint.hosts }

    /// - Throws: ``LabError`` with `.unknownName`, which lists the names there are.
    public func host(_ name: String) throws(LabError) -> LabHost {
        guard let address = self.blueprint.hosts.first(where: { $0.name == name }) else {
            throw LabError.unknown("host", name, among: self.blueprint.hosts.map(\.name))
        }
        return LabHost(address: address, lab: self)
    }

    /// The address a home or carrier shows to the internet (a home behind a carrier: to the carrier).
    public func externalAddress(of home: String) throws(LabError) -> String { try self.router(home).externalAddress }

    /// The namespace of a host, or of a router (`NAME-gw`), `core` or `probe`.
    public func namespace(of machine: String) throws(LabError) -> String {
        guard self.blueprint.machines.contains(where: { $0.name == machine }) else {
            throw LabError.unknown("machine", machine, among: self.blueprint.machines.map(\.name))
        }
        return self.record.prefix + machine
    }

    nonisolated func homeFolder(of host: String) -> String { self.store.home(of: host, in: self.id) }

    private nonisolated func environment(for host: String, adding environment: [String: String]) -> [String: String] {
        var result = ProcessInfo.processInfo.environment
        for key in result.keys where key.hasPrefix("XDG_") { result[key] = nil }
        result["HOME"] = self.homeFolder(of: host)
        result["NATLAB"] = self.executable
        result["NATLAB_ID"] = self.id
        result["NATLAB_HOST"] = host
        result["PATH"] = ([(self.executable as NSString).deletingLastPathComponent] + Tool.searchPath).joined(separator: ":")
        return result.merging(environment) { $1 }
    }

    /// What `natlab shell` becomes: a command line and its environment.
    ///
    /// - Throws: ``LabError`` with `.unknownName`, `.programNotFound` or `.stateUnusable`.
    public func shell(on machine: String, command: [String]) throws(LabError) -> (arguments: [String], environment: [String: String]) {
        let namespace = try self.namespace(of: machine)
        let environment = self.environment(for: machine, adding: [:])
        guard let program = command.first, Tool.isProgram(program, in: environment["PATH"] ?? "") else {
            throw LabError(.programNotFound, "there is no program \"\(command.first ?? "")\" to run on \(machine)")
        }
        try self.makeHome(of: machine)
        return ([Tool.ip.path ?? Tool.ip.rawValue, "netns", "exec", namespace] + command, environment)
    }

    private func makeHome(of host: String) throws(LabError) {
        do {
            try FileManager.default.createDirectory(atPath: self.homeFolder(of: host), withIntermediateDirectories: true)
        } catch {
            throw LabError(.stateUnusable, "\(self.homeFolder(of: host)) can't be made: \(error.localizedDescription)")
        }
    }

    /// Starts a program on a host, or on any machine of the lab.
    public func start(_ command: [String], on machine: String, environment: [String: String] = [:]) async throws(LabError) -> LabProcess {
        guard !self.isDown else { throw LabError(.unknownName, "lab \(self.id) is down") }
        guard !command.isEmpty else { throw LabError(.commandFailed, "no command to run on \(machine)") }
        let arguments = [Tool.ip.rawValue, "netns", "exec", try self.namespace(of: machine)] + command
        try self.makeHome(of: machine)
        let environment = self.environment(for: machine, adding: environment)
        let process = try await Blocking.run { () throws(LabError) in
            try LabProcess(host: machine, command: command, spawning: arguments, environment: environment)
        }
        guard !self.isDown else {
            await process.terminate(grace: .zero)
            throw LabError(.unknownName, "lab \(self.id) is down")
        }
        self.processes.removeAll { $0.exit != nil }
        self.processes.append(process)
        return process
    }

    /// Records packets on any machine of the lab.
    public func capture(on machine: String, interface: String, to path: String, filter: String = "") async throws -> LabProcess {
        try Tool.require([.tcpdump])
        let process = try await self.start(
            [Tool.tcpdump.rawValue, "-i", interface, "-U", "-n", "-s", "0", "-Z", "root", "-w", path] + (filter.isEmpty ? [] : [filter]), on: machine)
        do {
            _ = try await process.line(timeout: .seconds(10)) { $0.text.contains("listening on") }
        } catch {
            await process.terminate(grace: .seconds(1))
            throw error
        }
        return process
    }

    // MARK: What happens to lines and routers

    private func router(_ name: String) throws(LabError) -> Router {
        guard let router = self.blueprint.router(named: name) else {
            let names = self.blueprint.plan.homes.map(\.name) + self.blueprint.plan.carriers.map(\.name)
            throw LabError.unknown("home or carrier", name, among: names)
        }
        return router
    }

    /// Restarts a home's (or a carrier's) router: every mapping is gone, and its external address is another one.
    public func reboot(_ home: String) async throws {
        let before = try self.router(home)
        self.blueprint.reboot(machine: before.machine)
        self.record.reboots[before.machine, default: 0] += 1
        try self.store.save(self.record)
        let router = try self.router(home)
        self.progress("\(home): reboot, \(before.externalAddress) becomes \(router.externalAddress)")
        guard let machine = self.blueprint.machine(named: router.machine), let wire = self.blueprint.uplink(of: router.machine),
            let upstream = self.blueprint.machine(named: wire.far.machine), let wan = machine.interfaces.first(where: { $0.name == "wan" })
        else { return }

        let stop = [
            "set -e", Machine.set("net/ipv4/ip_forward", 0), "nft flush ruleset", "ip addr del \(before.externalAddress)/32 dev wan",
        ]
        try await self.runScripts([(router.machine, "\(router.machine).stop.sh", stop.map { $0 + "\n" }.joined())])
        await self.endPortMapping(on: router.machine)
        try await self.flushConnections(on: router.machine)
        let start = ["set -e", "ip -batch - <<'END'"] + wan.configuration + ["END"] + machine.loadingRules + [Machine.set("net/ipv4/ip_forward", 1)]
        let farEnd = upstream.interfaces.filter { $0.name == wire.far.interface }.flatMap(\.configuration)
        let move = ["set -e", "ip route del \(before.externalAddress)/32 dev \(wire.far.interface)", "ip -batch - <<'END'"] + farEnd + ["END"]
        try await self.runScripts([(wire.far.machine, "\(router.machine).upstream.sh", move.map { $0 + "\n" }.joined())])
        try await self.runScripts([(router.machine, "\(router.machine).start.sh", start.map { $0 + "\n" }.joined())])
        if router.rules.upnp { try await self.startPortMapping(on: router) }
    }

    /// Forgets every mapping and connection of a home's router; its address stays. As if nobody had used it before.
    public func forgetMappings(of home: String) async throws {
        let router = try self.router(home)
        guard let machine = self.blueprint.machine(named: router.machine), !machine.rules.isEmpty else { return }
        try await self.flushConnections(on: router.machine)
        guard !router.rules.upnp else { return }  // its own rules are in the table
        try await self.runScripts([
            (router.machine, "\(router.machine).rules.sh", (["set -e", "nft flush ruleset"] + machine.loadingRules).map { $0 + "\n" }.joined())
        ])
    }

    /// Pulls out or plugs in the line of a home (router to core), of a carrier, or of a single host.
    public func setLink(of name: String, up: Bool) async throws {
        let (machineName, interface): (String, String)
        if let router = self.blueprint.router(named: name) {
            (machineName, interface) = (router.machine, "wan")
        } else {
            let names = self.blueprint.plan.homes.map(\.name) + self.blueprint.plan.carriers.map(\.name) + self.blueprint.hosts.filter { $0.home != $0.name }.map(\.name)
            guard names.contains(name) else { throw LabError.unknown("home, carrier or host", name, among: names) }
            (machineName, interface) = (name, "eth0")
        }
        try await self.setInterface(interface, of: machineName, up: up)
    }

    /// The same for one machine by its own name: `a-gw`, or a home's first host, which has the home's name.
    public func setInterface(_ interface: String, of machineName: String, up: Bool) async throws {
        guard let machine = self.blueprint.machine(named: machineName), let configured = machine.interfaces.first(where: { $0.name == interface }) else {
            throw LabError(.unknownName, "\(machineName) has no interface \"\(interface)\"")
        }
        self.progress("\(machineName): \(interface) \(up ? "up" : "down")")
        let lines = up ? configured.configuration : ["link set dev \(interface) down"]
        let script = ["set -e", "ip -batch - <<'END'"] + lines + ["END"]
        try await self.runScripts([(machineName, "\(machineName).\(interface).sh", script.map { $0 + "\n" }.joined())])
    }

    private func endPortMapping(on machine: String) async {
        let names = [self.record.prefix + machine]
        _ = try? await Blocking.run { () throws(LabError) in
            for pid in Namespaces.processes(in: names) where Self.isPortMapper(pid) { kill(pid, SIGTERM) }
            for _ in 0..<200 where Namespaces.processes(in: names).contains(where: Self.isPortMapper) { usleep(10_000) }
        }
    }

    private static func isPortMapper(_ pid: pid_t) -> Bool {
        (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8))?.hasPrefix(Tool.miniupnpd.rawValue) ?? false
    }

    private func flushConnections(on machine: String) async throws(LabError) {
        let arguments = [Tool.ip.rawValue, "netns", "exec", self.record.prefix + machine, self.executable, "flush-connections"]
        try await Blocking.run { () throws(LabError) in _ = try Tool.run(arguments, what: "flushing the connections of \(machine)") }
    }

    // MARK: Probes

    /// Measures every home (or those named) from its first host and compares with what its kind must do.
    public func verify(homes: [String]? = nil, onVerdict: @Sendable (NATVerdict) -> Void = { _ in }) async throws -> [NATVerdict] {
        let original = self.record.plan.homes
        for name in homes ?? [] where !original.contains(where: { $0.name == name }) {
            throw LabError.unknown("home", name, among: original.map(\.name))
        }
        let measured = original.filter { homes?.contains($0.name) ?? true }
        var verdicts: [Int: NATVerdict] = [:]
        try await withThrowingTaskGroup(of: (Int, NATVerdict).self) { group in
            var waiting = Array(measured.enumerated())[...]
            func add() {
                guard let (index, home) = waiting.popFirst() else { return }
                let carrier = self.record.plan.carriers.first { $0.name == home.carrier }
                group.addTask { (index, NATVerdict(home: home, carrier: carrier, report: try await self.probe(home.name, ipv6: home.ipv6 != .none))) }
            }
            for _ in 0..<6 { add() }
            while let (index, verdict) = try await group.next() {
                verdicts[index] = verdict
                onVerdict(verdict)
                add()
            }
        }
        return verdicts.sorted { $0.key < $1.key }.map(\.value)
    }

    /// What the probes see from a host.
    public func probe(_ host: String, ipv6: Bool = false) async throws -> ProbeReport {
        var command = [self.executable, "probe", "--json"] + Blueprint.probeAddresses
        if ipv6 { command += Blueprint.probeIPv6Addresses }
        let output = try await self.host(host).run(command, timeout: .seconds(60))
        guard output.exit.isSuccess, let report = try? JSONDecoder().decode(ProbeReport.self, from: Data(output.standardOutput.utf8)) else {
            throw LabError(.commandFailed, "the probe on \(host) failed (\(output.exit)): \(output.standardError)")
        }
        return report
    }

    /// Tries to punch a hole between two hosts with the lab's own prober.
    public func punch(_ a: String, _ b: String, transport: PunchTransport, listens: Bool, timeLimit: Duration = .seconds(4)) async throws -> (PunchReport, PunchReport) {
        let room = "\(a).\(b).\(UInt32.random(in: 0 ... .max))"
        let milliseconds = Int(timeLimit / .milliseconds(1))
        let command = [self.executable, "punch", transport.rawValue, Blueprint.probeAddresses[0], room, "--limit", "\(milliseconds)"] + (listens ? ["--listen"] : [])
        @Sendable func side(_ host: String) async throws -> PunchReport {
            let output = try await self.host(host).run(command, timeout: timeLimit + .seconds(30))
            guard let report = try? JSONDecoder().decode(PunchReport.self, from: Data(output.standardOutput.utf8)) else {
                throw LabError(.commandFailed, "the prober on \(host) failed (\(output.exit)): \(output.standardError)")
            }
            return report
        }
        async let first = side(a)
        async let second = side(b)
        return try await (first, second)
    }
}
#endif
