import Foundation
import KVCore
import KVServer
import Testing
import TestSupport

@testable import KVLinux

@Suite struct ConfigurationFilesTests {
  private let temporary: TemporaryDirectory

  init() throws { temporary = try TemporaryDirectory() }

  private var path: String { temporary.path + "/kvnode.conf" }

  private func problems() -> [String] {
    do throws(ConfigurationError) {
      _ = try ConfigurationFiles(named: path).load()
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  @Test func theMainFileIsRead() throws {
    try temporary.write("[Node]\nName=one\n", to: "kvnode.conf")
    let (configuration, warnings) = try ConfigurationFiles(named: path).load()
    #expect(configuration.nodeName == "one")
    #expect(warnings.isEmpty)
  }

  @Test func dropInsComeAfterItInTheOrderOfTheirNames() throws {
    try temporary.write("[Node]\nName=main\nDataDirectory=/main\n", to: "kvnode.conf")
    try temporary.write("[Node]\nName=twenty\n", to: "kvnode.conf.d/20-b.conf")
    try temporary.write("[Node]\nName=ten\nDataDirectory=/ten\n", to: "kvnode.conf.d/10-a.conf")
    for ignored in ["30.conf.bak", ".40.conf", "50"] {
      try temporary.write("[Node]\nName=ignored\n", to: "kvnode.conf.d/" + ignored)
    }
    let configuration = try ConfigurationFiles(named: path).load().configuration
    #expect(configuration.nodeName == "twenty")
    #expect(configuration.dataDirectory == "/ten")
  }

  @Test func problemsNameTheFile() throws {
    try temporary.write("[Node]\nName=one\n", to: "kvnode.conf")
    try temporary.write("[Node]\nListen=x\n", to: "kvnode.conf.d/10.conf")
    #expect(problems().count == 1)
    #expect(problems().first?.hasPrefix("\(path).d/10.conf:2: ") == true)
  }

  @Test func warningsNameTheFile() throws {
    try temporary.write("[Node]\nColour=blue\n", to: "kvnode.conf")
    let warnings = try ConfigurationFiles(named: path).load().warnings.map(\.description)
    #expect(warnings.count == 1)
    #expect(warnings.first?.hasPrefix("\(path):2: ") == true)
  }

  @Test func aNamedFileMustBeThere() {
    #expect(problems() == ["\(path): cannot be read: No such file or directory"])
  }

  @Test func theStandardFileNeedNotBeThere() {
    #expect(ConfigurationFiles(named: nil).path == "/etc/kvnode.conf")
    #expect(!ConfigurationFiles(named: nil).isRequired)
    #expect(ConfigurationFiles(named: path).isRequired)
  }

  @Test func aDirectoryIsNoFile() throws {
    try temporary.write("", to: "kvnode.conf/file")
    #expect(problems() == ["\(path): cannot be read: Is a directory"])
  }
}

extension TemporaryDirectory {
  /// Writes a file, and makes the directories it lies in.
  fileprivate func write(_ text: String, to name: String) throws {
    let file = URL(fileURLWithPath: "\(path)/\(name)")
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try write(Array(text.utf8), to: name)
  }
}
