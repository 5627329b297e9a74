# front_link(PROGRAM LIBRARY...): links the small static front to what it shares with the engine.
#
# An optimised build by gcc uses musl: an empty program linked statically with glibc takes longer to
# start than `hamon check` in all with musl (ARCHITECTURE.md). The libraries' archives are glibc's,
# so their sources are compiled once more into the front. musl-gcc is nothing but gcc with a specs
# file; naming that file here needs no second toolchain. All other builds, and a machine without
# musl-tools, link the archives with glibc: static, but dynamic where sanitizers want it so.
function(front_link program)
        set(musl FALSE)
        if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE MATCHES "^Rel"
           AND NOT MHA_SANITIZE AND NOT MHA_COVERAGE AND NOT MHA_FUZZ)
                string(REPLACE gnu musl triplet "${CMAKE_C_LIBRARY_ARCHITECTURE}")
                find_file(MHA_MUSL_SPECS musl-gcc.specs PATHS /usr/lib/${triplet} NO_DEFAULT_PATH)
                find_file(MHA_INIH_HEADER ini.h HINTS ${INIH_INCLUDE_DIRS})
                find_library(MHA_INIH_ARCHIVE libinih.a HINTS ${INIH_LIBRARY_DIRS})
                if(MHA_MUSL_SPECS AND MHA_INIH_HEADER AND MHA_INIH_ARCHIVE)
                        set(musl TRUE)
                endif()
        endif()

        if(musl)
                message(STATUS "${program}: static, with musl (${MHA_MUSL_SPECS})")
                front_link_musl(${program} ${ARGN})
        elseif(MHA_SANITIZE OR MHA_FUZZ)
                target_link_libraries(${program} PRIVATE ${ARGN})
        else()
                message(STATUS "${program}: static, with glibc; with musl it starts three times as "
                        "fast (needs a Release build by gcc, and musl-tools)")
                target_link_libraries(${program} PRIVATE ${ARGN})
                target_link_options(${program} PRIVATE -static)
        endif()
endfunction()

function(front_link_musl program)
        foreach(library ${ARGN})
                get_target_property(folder ${library} SOURCE_DIR)
                get_target_property(sources ${library} SOURCES)
                foreach(source ${sources})
                        cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${folder})
                        target_sources(${program} PRIVATE ${source})
                endforeach()
        endforeach()

        # the one header from /usr/include; the rest of that folder is glibc's
        configure_file(${MHA_INIH_HEADER} ${CMAKE_BINARY_DIR}/musl/ini.h COPYONLY)
        target_include_directories(${program} SYSTEM PRIVATE ${CMAKE_BINARY_DIR}/musl)
        target_compile_options(${program} PRIVATE -specs=${MHA_MUSL_SPECS})

        # libinih.a is glibc's too; these are the two symbols it wants that are not in every musl
        target_link_options(${program} PRIVATE -specs=${MHA_MUSL_SPECS} -static
                LINKER:--defsym=__ctype_b_loc=inih_ctype LINKER:--defsym=fopen64=fopen)
        target_link_libraries(${program} PRIVATE mha_flags ${MHA_INIH_ARCHIVE})
endfunction()
