import DIGAnnouncement
import DIGCommandLine
import DIGIdentity
import DIGNatTools
import Foundation
import Testing

@testable import dig_nat

@Suite("A directory that a node shares", .timeLimit(.minutes(1)))
struct SharedPathsTests {
    @Test("what is new or has changed is shared, what is gone is not any more")
    func update() async throws {
        let key = try KeyPair.generate()
        let base = "/tmp/dig-nat-shared-paths-\(key.peerID)"
        let folder = base + "/files"
        defer { try? FileManager.default.removeItem(atPath: base) }
        try FileManager.default.createDirectory(atPath: folder + "/inner", withIntermediateDirectories: true)
        func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/" + name)) }
        try write("a", to: "a")
        try write("b", to: "b")
        try write("hidden", to: ".hidden")
        try write("c", to: "inner/c")

        var configuration = NodeConfiguration(dataDirectory: base + "/data")
        configuration.identity = .keyPair(key)
        configuration.listen = []
        configuration.localDiscovery = false
        configuration.discovery = .off
        let network = try NetworkManager(configuration: configuration)
        let host = FileHost(network: network)
        let console = Console(isJSON: false, isQuiet: true, logs: false, environment: [:])
        let paths = SharedPaths(host: host, paths: [folder], names: true, console: console)

        #expect(try await paths.update() == .init(added: 3, removed: 0, unchanged: 0))
        #expect(Set(try await host.contents.map(\.name)) == ["a", "b", "inner"])
        #expect(Set(try await host.contents.compactMap(\.contentID)) == ["a", "b", "inner"])
        #expect(try await paths.update() == .init(added: 0, removed: 0, unchanged: 3))

        // Something shared otherwise is not the directory's.
        try await host.addFile(folder + "/inner/c")
        try write("longer", to: "a")
        try FileManager.default.removeItem(atPath: folder + "/b")
        try write("d", to: "d")
        let change = try await paths.update()
        #expect(change == .init(added: 2, removed: 1, unchanged: 1))
        #expect(try await host.contents.map(\.path).sorted() == ["a", "d", "inner", "inner/c"].map { folder + "/" + $0 })
        #expect(change.text == "sharing 3: 2 new or changed, 1 gone")
        #expect(change.event.text == #"{"event":"scanned","added":2,"unchanged":1,"removed":1}"#)

        let missing = SharedPaths(host: host, paths: [base + "/missing"], names: false, console: console)
        #expect(try await missing.update() == .init())
        await host.stop()
        await network.stop()
    }

    @Test("what was shared without announcing it stays so in later runs, until it is shared again with it")
    func unannounced() async throws {
        let key = try KeyPair.generate()
        let base = "/tmp/dig-nat-shared-paths-\(key.peerID)"
        defer { try? FileManager.default.removeItem(atPath: base) }
        try FileManager.default.createDirectory(atPath: base + "/files", withIntermediateDirectories: true)
        for name in ["diary.txt", "song.txt"] { try Data(name.utf8).write(to: URL(fileURLWithPath: base + "/files/" + name)) }
        let console = Console(isJSON: false, isQuiet: true, logs: false, environment: [:])

        /// What is remembered after a run.
        func levels(announces: Bool, _ body: (FileHost) async throws -> Void) async throws -> [String: AnnounceLevel?] {
            var configuration = NodeConfiguration(dataDirectory: base + "/data")
            configuration.identity = .keyPair(key)
            configuration.listen = []
            configuration.localDiscovery = false
            configuration.discovery = .off
            configuration.discovery.announces = announces
            let network = try NetworkManager(configuration: configuration)
            let host = FileHost(network: network)
            try await body(host)
            let levels = Dictionary(uniqueKeysWithValues: try await host.contents.map { ($0.name, $0.announceLevel) })
            await host.stop()
            await network.stop()
            return levels
        }
        func share(_ name: String, level: AnnounceLevel? = nil) -> (FileHost) async throws -> Void {
            { _ = try await $0.addFile(base + "/files/" + name, announceLevel: level) }
        }
        #expect(try await levels(announces: false, share("diary.txt")) == ["diary.txt": nil])
        #expect(try await levels(announces: true, share("song.txt", level: .low)) == ["diary.txt": nil, "song.txt": .low])
        #expect(try await levels(announces: true) { try await $0.announceEverything() } == ["diary.txt": nil, "song.txt": .low])
        #expect(try await levels(announces: true, share("diary.txt")) == ["diary.txt": .medium, "song.txt": .low])
        // So does a node that shares the directory.
        for announces in [false, true] {
            let shared = try await levels(announces: announces) { host in
                let change = try await SharedPaths(host: host, paths: [base + "/files"], names: false, console: console).update()
                #expect(change.removed == 0)
            }
            #expect(shared == (announces ? ["diary.txt": .medium, "song.txt": .medium] : ["diary.txt": nil, "song.txt": nil]))
        }
    }
}
