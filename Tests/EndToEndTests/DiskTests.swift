import DIGContent
import Foundation
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("disks", .serialized, .timeLimit(.minutes(3)))
struct DiskTests {
    let workspace: Workspace
    let bytes = SampleFile.bytes(3 << 20)

    init() throws {
        self.workspace = try Workspace()
    }

    private func holder() async throws -> Workspace.Holder {
        try await self.workspace.share("holder", [try self.workspace.write(self.bytes, to: "film.bin")])
    }

    @Test("a full disk has its own error, and what fitted is kept", .enabled(if: Superuser.canMount, "\(Superuser.reason)"))
    func full() async throws {
        let holder = try await self.holder()
        let disk = try SmallDisk(self.workspace.downloads, byteCount: 1 << 20)
        let process = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        process.expectFailure(5, "no space left", "free some space")
        #expect(self.workspace.downloaded == self.workspace.partial)
        #expect(self.workspace.partial.count == 1)

        try disk.remount("size=8m")
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        result.expectSuccess()
        #expect((result.finished["resumedBytes"].number ?? 0) > 0)
        Workspace.expect(self.workspace.downloads + "/film.bin", holds: self.bytes)
        self.workspace.expectNothingElseTouched()
    }

    @Test("a limit on the size of files has its own error")
    func limited() async throws {
        let holder = try await self.holder()
        let shell = ["bash", "-c", "trap '' XFSZ; ulimit -f 1024; exec \"$@\"", "bash"]
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"], launcher: shell)
        result.expectFailure(5, "limit")
        #expect(!self.workspace.downloaded.contains("film.bin"))
        try await self.workspace.run("receiver", ["get", "\(holder.link)"]).expectSuccess()
        self.workspace.expectNothingElseTouched()
    }

    @Test("a directory that may not be written has its own error", .enabled(if: Superuser.canMount || geteuid() != 0, "\(Superuser.reason)"))
    func readOnly() async throws {
        let holder = try await self.holder()
        var disk: SmallDisk?
        if geteuid() == 0 {
            // Permissions mean nothing to root.
            disk = try SmallDisk(self.workspace.downloads, byteCount: 1 << 20)
            try disk?.remount("ro")
        } else {
            try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: self.workspace.downloads)
        }
        let result = try await self.workspace.run("receiver", ["get", "\(holder.link)"])
        result.expectFailure(5, "may not be written", "choose another place with -o")
        #expect(self.workspace.downloaded == [])
        self.workspace.expectNothingElseTouched()
        withExtendedLifetime(disk) {}
    }

    @Test("a data directory that may not be written has its own error")
    func dataDirectory() async throws {
        try self.workspace.write([], to: self.workspace.data(of: "receiver"))
        let result = try await self.workspace.run("receiver", ["id"])
        result.expectFailure(5, self.workspace.data(of: "receiver"), "choose another data directory")
    }

    @Test("a file that cannot be shared has its own error")
    func unreadable() async throws {
        try await self.workspace.run("holder", ["share", self.workspace.source + "/missing"]).expectFailure(5, "missing")
        try await self.workspace.run("holder", ["share", "/dev/null"]).expectFailure(5, "/dev/null")
    }
}
