// Hashes a file, makes its link, and proves a range of it: values alone, no network.
import DIGContent

let path = CommandLine.arguments.dropFirst().first ?? "/etc/hostname"
let file = try await FileHasher().hash(fileAt: path)
print("content hash:", file.descriptor.contentHash)
print("link:", try ShareLink(descriptor: file.descriptor, name: "example"))

// What a holder sends with the first chunk, and what a receiver checks.
let layer = file.layout.treeLayer
let segment = try TreeProver(file.chunkLayer).segment(layer: layer, index: 0, count: 1)
try segment.verify(against: file.descriptor)
print("the hash of the first chunk leads to the root")
