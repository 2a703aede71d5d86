// A host and a client in one process: shares a file and fetches it.
import DIGNatTools
import Foundation
import Logging

let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dig-nat-snippet").path
try FileManager.default.createDirectory(atPath: directory + "/shared-files", withIntermediateDirectories: true)
try Data("Hello".utf8).write(to: URL(fileURLWithPath: directory + "/shared-files/hello.txt"))
let logger = Logger(label: "snippet")

var hosting = FileHostConfiguration(directory: directory + "/shared-files")
hosting.port = 0
let host = try FileHost(configuration: hosting, logger: logger)
try await host.start()

let client = try FileClient(configuration: FileClientConfiguration(downloadDirectory: directory + "/downloads"), logger: logger)
try await client.start()
for content in try await host.contents {
    let link = try content.link(addresses: host.network.addresses)
    let result = try await client.downloadFile(link.description, to: directory + "/downloads/\(content.name)") { print("\(Int($0.fraction * 100)) %") }
    print("fetched", result.path)
}
await client.stop()
await host.stop()
